"""Several answers and options to one question: in records, on disk, and in scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from math import exp, isnan, log, nan
from pathlib import Path

import pytest

from tests import tiny
from tests.families import Build, each_family
from tests.scripted import script
from unsee.data import Example, Probe
from unsee.data.multiple_choice import INSTRUCTION, multiple_choice, multiple_choice_question
from unsee.errors import InputError
from unsee.evaluation.measure import measure
from unsee.evaluation.measures import BUILT_IN
from unsee.evaluation.records import Record, read_records
from unsee.evaluation.registry import measured
from unsee.evaluation.scores import score
from unsee.system.files import write_jsonl
from unsee.vlm.scoring import Scorer

CITIES = ("Lima", "Riga", "San Francisco")
RICH = [
    replace(
        example,
        paraphrased_answers=(f"in {example.answer}",),
        perturbed_answers=("green", "red blue") if number % 2 else ("the ground", "Ada", "blue"),
        choices=(*CITIES, example.answer) if number < 2 else (),
        answer_keywords=(example.answer[:2],) if number else (),
    )
    for number, example in enumerate(tiny.examples(4))
]
PLAIN = Record(
    probe="p", index=0, id=None, subject="Ada", fact="city", question="Which city?",
    expected="Riga", said="Riga", correct=True, log_prob=log(1 / 4), tokens=2,
)  # fmt: skip

ALWAYS = {metric.name for metric in BUILT_IN if not metric.needs}


def candidates(records: Sequence[Record]) -> dict[str, float]:
    """Means of the metrics that take more than the expected answer."""
    return {name: mean.score for name, mean in measured(records).items() if name not in ALWAYS}


# Measuring.


@each_family
def test_records_hold_the_likelihood_of_every_answer_and_option(build: Build) -> None:
    loaded = build(seed=3)
    records = measure(loaded, Probe("p", RICH), batch_size=4, max_new_tokens=3)
    loaded.model.eval()
    by_itself = Scorer(loaded.model, loaded.encoder, share=False)
    for row, example in zip(records, RICH, strict=True):
        answers = [example.answer, *example.paraphrased_answers, *example.perturbed_answers, *example.choices]
        (scores,) = by_itself([example], [answers])
        found = [row.log_prob, *row.paraphrased_log_probs, *row.perturbed_log_probs, *row.choice_log_probs]
        assert found == pytest.approx([one.log_prob for one in scores], abs=1e-5)
        tokens = [row.tokens, *row.paraphrased_tokens, *row.perturbed_tokens, *row.choice_tokens]
        assert tokens == [one.tokens for one in scores]
        counts = [len(row.paraphrased_log_probs), len(row.perturbed_log_probs), len(row.choice_log_probs)]
        assert counts == [1, len(example.perturbed_answers), len(example.choices)]
        assert row.choices == example.choices
        assert row.answer_keywords == example.answer_keywords
        assert (row.chosen is not None) == bool(example.choices)


@each_family
def test_the_letter_is_asked_for_and_kept_as_it_was_said(build: Build) -> None:
    loaded = build()
    script(loaded, {INSTRUCTION: "B, surely", "Which city?": "Riga"})
    example = Example("Which city?", "Riga", tiny.picture(1), choices=CITIES)
    (row,) = measure(loaded, Probe("p", [example]), max_new_tokens=12)
    assert (row.said, row.correct, row.chosen) == ("Riga", True, "B, surely")
    found = candidates([row])
    assert (found["choice_strict"], found["choice_tolerant"]) == (0.0, 1.0)


def test_options_get_their_letters_in_the_order_of_the_data() -> None:
    asked = multiple_choice(Example("Which city?", "Riga", b"x", subject="Ada", choices=CITIES))
    assert asked.question == f"Which city?\nA. Lima\nB. Riga\nC. San Francisco\n{INSTRUCTION}"
    assert (asked.answer, asked.image, asked.subject, asked.choices) == ("B", b"x", "Ada", ())


def test_choices_that_cannot_be_asked_are_refused() -> None:
    with pytest.raises(InputError, match="27 choices; give 1 to 26"):
        multiple_choice_question("Which?", ["x"] * 27)
    with pytest.raises(InputError, match="'Oslo' is not among its choices"):
        multiple_choice(Example("Which city?", "Oslo", choices=CITIES))


# Records on disk.


def test_candidates_come_back_from_disk_as_they_were(tmp_path: Path) -> None:
    rich = replace(
        PLAIN, index=1, paraphrased_log_probs=(-0.1 - 2**-40,), paraphrased_tokens=(3,),
        perturbed_log_probs=(-3.0, -4.0), perturbed_tokens=(2, 2), choices=CITIES,
        choice_log_probs=(-1.0, -2.0, -3.0), choice_tokens=(1, 2, 3), chosen="",
    )  # fmt: skip
    write_jsonl(tmp_path / "p.jsonl", [PLAIN.row(), rich.row()])
    assert read_records(tmp_path / "p.jsonl") == [PLAIN, rich]


def test_records_of_plain_examples_are_what_they_were_before_there_were_candidates(tmp_path: Path) -> None:
    old = {
        "probe": "p", "index": 0, "id": None, "subject": "Ada", "fact": "city", "question": "Which city?",
        "expected": "Riga", "said": "Riga", "correct": True, "log_prob": log(1 / 4), "tokens": 2,
    }  # fmt: skip
    assert PLAIN.row() == old
    (tmp_path / "old.jsonl").write_text(json.dumps(old) + "\n")
    assert read_records(tmp_path / "old.jsonl") == [PLAIN]


def test_a_likelihood_that_is_no_number_survives_the_disk(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "p.jsonl", [replace(PLAIN, perturbed_log_probs=(nan, -1.0), perturbed_tokens=(1, 1)).row()])
    (row,) = read_records(tmp_path / "p.jsonl")
    assert isnan(row.perturbed_log_probs[0])
    assert isnan(candidates([row])["truth_ratio_forget"])


# Scores.


def test_truth_ratios_worked_out_by_hand() -> None:
    # Per token: the paraphrases have 1/2 and 1/8, whose geometric mean is 1/4; the wrong answers 1/8 and 1/2: 1/4 too.
    # R = 1. The second row has no paraphrase, so that its own answer stands for the truth: 1/2 against 1/8: R = 1/4.
    rows = [
        replace(
            PLAIN, paraphrased_log_probs=(2 * log(1 / 2), log(1 / 8)), paraphrased_tokens=(2, 1),
            perturbed_log_probs=(3 * log(1 / 8), log(1 / 2)), perturbed_tokens=(3, 1),
        ),
        replace(PLAIN, perturbed_log_probs=(log(1 / 8),), perturbed_tokens=(1,)),
        PLAIN,  # nothing to compare with: in none of the means
    ]  # fmt: skip
    found = candidates(rows)
    assert found["truth_ratio_forget"] == pytest.approx((1 + 1 / 4) / 2)
    assert found["truth_ratio_retain"] == pytest.approx((0 + 3 / 4) / 2)
    # The expected answer has sqrt(1/4) = 1/2 per token: 1/2 of 1/2 + 1/8 + 1/2 = 4/9, and 1/2 of 1/2 + 1/8 = 4/5.
    assert found["probability_among_options"] == pytest.approx((4 / 9 + 4 / 5) / 2)
    assert not [name for name in found if name.startswith("choice")]


def test_keywords_are_counted_in_rows_that_have_some() -> None:
    rows = [replace(PLAIN, said="Old Riga", answer_keywords=("riga", "harbour")), PLAIN]
    assert candidates(rows) == {"keyword_recall": 1 / 2}
    assert candidates([PLAIN]) == {}


def test_choices_worked_out_by_hand() -> None:
    # Summed, the first option is likeliest (-2 > -3); per token the second, which is right (-3 / 3 > -2 / 1).
    row = replace(
        PLAIN, choices=("Lima", "Riga"), choice_log_probs=(-2.0, -3.0), choice_tokens=(1, 3), chosen="The answer is B."
    )
    other = replace(row, choice_log_probs=(-9.0, -3.0), chosen="B")
    found = candidates([row, other, PLAIN])
    expected = {"choice_by_sum": 0.5, "choice_by_mean": 1.0, "choice_strict": 0.5, "choice_tolerant": 1.0}
    assert found == expected
    silent = replace(row, chosen="", choice_log_probs=(nan, -3.0))
    assert set(candidates([silent]).values()) == {0.0}


def test_scores_name_what_the_data_have_and_pass_the_knowledge_gate() -> None:
    known = replace(PLAIN, perturbed_log_probs=(log(1 / 2),), perturbed_tokens=(1,))
    unknown = replace(known, index=1, fact="award", perturbed_log_probs=(0.0,), correct=False)
    plain = score([PLAIN])
    assert plain.metrics.keys() == ALWAYS
    assert "truth_ratio_forget" not in plain.to_dict()
    rows = [known, replace(known, index=2), unknown, replace(unknown, index=3)]  # two facts, each asked twice
    flat = score(rows, base=rows).to_dict()
    assert flat["left_out"] == 2
    assert flat["truth_ratio_forget"] == pytest.approx(exp(0))  # 1/2 against 1/2: of the known rows alone
