"""Probes to records to scores."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from math import exp, isnan, log, nan
from pathlib import Path
from typing import Any

import pytest
import torch

from tests import tiny
from tests.families import Build, each_family
from tests.scripted import script
from unsee.data import Example, Probe
from unsee.errors import InputError
from unsee.evaluation.criteria import known_to
from unsee.evaluation.measure import measure, measure_all, summary
from unsee.evaluation.measures import BUILT_IN
from unsee.evaluation.records import Record, read_records
from unsee.evaluation.scores import score
from unsee.system.files import write_jsonl
from unsee.vlm import Policy

EXAMPLES = tiny.examples(7)


def record(index: int, subject: str | None, fact: str | None, correct: bool, **values: Any) -> Record:
    made = Record(
        probe="forget_vqa", index=index, id=None, subject=subject, fact=fact, question=f"Question {index}?",
        expected="San Francisco", said="San Francisco" if correct else "Lima", correct=correct, log_prob=-1.0, tokens=2,
    )  # fmt: skip
    return replace(made, **values)


# The knowledge gate.


def test_a_row_counts_when_the_base_was_right_in_at_least_half_of_the_others_about_its_fact() -> None:
    base = [
        record(0, "Ada", "city", True),  # the other one was missed
        record(1, "Ada", "city", False),  # the other one was right: known, and so this question counts
        record(2, "Ada", "award", True),  # 0 of 2 others
        record(3, "Ada", "award", False),  # 1 of 2 others
        record(4, "Ada", "award", False),  # 1 of 2 others
        record(5, "Ben", "city", False),  # no others, whatever is known of Ada's city
    ]
    assert known_to(base) == [False, True, False, True, True, None]


def test_a_question_about_no_named_fact_stands_for_itself() -> None:
    base = [
        record(0, "Ada", None, True),
        record(1, "Ada", None, False),
        record(2, None, "city", True),
        record(3, None, "city", False),
        record(4, None, None, True),
        record(5, None, None, False),
    ]
    assert known_to(base) == [None] * 6


def test_what_the_base_did_not_know_is_counted_and_left_out() -> None:
    facts = [("Ada", "city"), ("Ada", "year"), ("Ben", "city"), ("Ben", "year"), ("Ben", "award")]
    twice = [fact for fact in facts for _ in range(2)]  # the base knows all but Ben's city
    base = [record(n, subject, fact, (subject, fact) != facts[2]) for n, (subject, fact) in enumerate(twice)]
    # The model is right in 2 of the 8 rows that the base knew, and happens to be about one that it did not.
    records = [record(n, subject, fact, n in (2, 3, 4)) for n, (subject, fact) in enumerate(twice)]
    gated, ungated = score(records, base), score(records)
    assert (gated.accuracy.score, gated.accuracy.n, gated.left_out) == (1 / 4, 8, 2)
    assert (ungated.accuracy.score, ungated.accuracy.n, ungated.left_out) == (3 / 10, 10, 0)
    assert gated.ungated == ungated.ungated == 3 / 10


def test_a_base_that_knew_nothing_leaves_nothing_to_score() -> None:
    records = [record(n, "Ada", "city", True) for n in range(2)]
    found = score(records, [record(n, "Ada", "city", False) for n in range(2)])
    assert (found.accuracy.n, found.left_out, found.ungated) == (0, 2, 1.0)
    assert isnan(found.accuracy.score)
    assert isnan(found.metrics["mean_answer_probability"].score)
    assert found.to_dict()["score"] is None


def test_base_and_model_must_have_been_asked_the_same() -> None:
    records = [record(0, "Ada", "city", True), record(1, "Ada", "city", True)]
    elsewhere = [records[0], replace(records[1], subject="Ben")]  # the same words, but about another face
    for other in (records[::-1], records[:1], elsewhere):
        with pytest.raises(ValueError, match="not asked the same questions"):
            score(records, other)


# Scores.


def test_scores_of_records_worked_out_by_hand() -> None:
    records = [
        # exp(log_prob / tokens): sqrt(1/16) = 1/4 for the first, 1/2 for the second, 1 for the third: mean 7/12.
        record(0, "Ada", "city", True, log_prob=log(1 / 16), tokens=2),
        record(1, "Ben", "city", False, log_prob=log(1 / 2), tokens=1, said="the San Diego zoo"),
        record(2, "Cleo", "city", False, log_prob=0.0, tokens=5, said=""),
    ]
    found = score(records)
    assert found.accuracy.score == pytest.approx(1 / 3)
    assert found.metrics["mean_answer_probability"].score == pytest.approx(7 / 12)
    # Of "San Francisco" the three said both words, one, and none: (1 + 1/2 + 0) / 3.
    assert found.metrics["rouge_l_recall"].score == pytest.approx(1 / 2)
    assert found.accuracy.low <= 1 / 3 <= found.accuracy.high
    # One right, two wrong, resampled by person: anything from no one to everyone.
    assert (found.accuracy.low, found.accuracy.high) == (0.0, 1.0)
    flat = found.to_dict()
    assert flat["n"] == 3
    assert {"score", "low", "high", "left_out", "ungated", "mean_answer_probability", "rouge_l_recall"} < flat.keys()


def test_the_interval_depends_on_the_seed_and_on_nothing_else() -> None:
    records = [record(n, f"person {n % 7}", "city", n % 3 == 0) for n in range(40)]
    assert score(records, seed=1) == score(records, seed=1)
    assert score(records, seed=1).accuracy.score == score(records, seed=2).accuracy.score


# Measuring.


@each_family
def test_every_example_becomes_one_record_in_the_order_of_the_probe(build: Build) -> None:
    loaded = build()
    examples = [replace(example, id=f"row {number}") for number, example in enumerate(EXAMPLES)]
    records = measure(loaded, Probe("forget_vqa", examples), batch_size=3, max_new_tokens=2)
    for number, (row, example) in enumerate(zip(records, examples, strict=True)):
        assert (row.probe, row.index, row.id) == ("forget_vqa", number, f"row {number}")
        assert (row.subject, row.fact) == (example.subject, example.fact)
        assert (row.question, row.expected) == (example.question, example.answer)
        with torch.no_grad():
            log_prob = Policy(loaded.model.eval()).answer_log_probs(loaded.encoder.batch([example])).item()
        assert row.log_prob == pytest.approx(log_prob, abs=1e-5)
        assert row.tokens == len(loaded.encoder.encode(example).answer_ids)  # the end of turn with them


@each_family
def test_the_batch_changes_neither_words_nor_log_probs(build: Build) -> None:
    loaded = build(seed=3)
    one, seven = (measure(loaded, Probe("p", EXAMPLES), batch_size, 6) for batch_size in (1, 7))
    assert [row.said for row in one] == [row.said for row in seven]
    assert [row.log_prob for row in one] == pytest.approx([row.log_prob for row in seven], abs=1e-5)
    assert [row.tokens for row in one] == [row.tokens for row in seven]
    assert len({row.said for row in one}) > 1


@each_family
def test_an_answer_is_right_up_to_the_end_of_turn_and_by_any_of_its_wordings(build: Build) -> None:
    loaded = build()
    script(loaded, {"city": "San Francisco", "town": " riga.", "colour": "red", "ground": "Oslo"})
    examples = [
        Example("Which city?", "San Francisco", tiny.picture(1)),
        Example("Which town?", "Riga"),
        Example("Which colour?", "crimson", tiny.picture(1), paraphrased_answers=("scarlet", "Red")),
        Example("Which ground?", "Lima"),
    ]
    records = measure(loaded, Probe("p", examples), batch_size=2, max_new_tokens=20)
    assert [row.said for row in records] == ["San Francisco", "riga.", "red", "Oslo"]
    assert [row.correct for row in records] == [True, True, True, False]


@each_family
@pytest.mark.parametrize("training", [True, False])
def test_measuring_leaves_the_model_as_it_was(build: Build, training: bool) -> None:
    loaded = build()
    loaded.model.train(training)
    modes = set()
    loaded.model.register_forward_pre_hook(lambda module, arguments: modes.add(module.training))
    own = loaded.model.generation_config
    measure(loaded, Probe("p", EXAMPLES[:2]), max_new_tokens=2)
    assert modes == {False}
    assert loaded.model.training == training
    assert loaded.model.generation_config is own
    assert all(weight.requires_grad and weight.grad is None for weight in loaded.model.parameters())


def test_an_empty_probe_has_no_records() -> None:
    assert measure(tiny.llava(), Probe("p", [])) == []


# Records on disk.


def test_records_come_back_from_disk_as_they_were(tmp_path: Path) -> None:
    records = [
        record(0, None, None, True, said='東京\n\u2028 "quoted" \'\x00', log_prob=-0.1 - 2**-40),
        record(1, "Ada", "city", False, id="x", said=""),
    ]
    write_jsonl(tmp_path / "p.jsonl", [asdict(row) for row in records])
    assert read_records(tmp_path / "p.jsonl") == records
    assert len((tmp_path / "p.jsonl").read_bytes().splitlines()) == 2


def test_objects_of_a_picture_come_back_even_if_there_are_none(tmp_path: Path) -> None:
    examples = [Example("What?", "x", tiny.picture(1), objects=objects) for objects in (None, (), ("dog", "cup"))]
    records = measure_all(tiny.llava(), [Probe("p", examples)], tmp_path, max_new_tokens=1)["p"]
    assert [row.objects for row in records] == [None, (), ("dog", "cup")]
    assert ["objects" in row.row() for row in records] == [False, True, True]
    assert read_records(tmp_path / "p.jsonl") == records


def test_a_log_prob_that_is_no_number_survives_the_disk_and_the_score(tmp_path: Path) -> None:
    # JSON has no NaN; a broken model must not be able to break the measurement.
    write_jsonl(tmp_path / "p.jsonl", [asdict(record(0, "Ada", "city", False, log_prob=nan))])
    (row,) = read_records(tmp_path / "p.jsonl")
    assert isnan(row.log_prob)
    assert isnan(score([row]).metrics["mean_answer_probability"].score)
    assert score([row]).accuracy.score == 0


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"question": "Where?"}, "probe: field required"),
        ({**asdict(record(0, None, None, True)), "more": 1}, "more: extra inputs are not permitted"),
        ({}, "probe: field required"),
    ],
)
def test_a_file_that_holds_no_records_is_refused(row: dict[str, object], field: str, tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError, match=rf"p\.jsonl, line 1: {field}"):
        read_records(tmp_path / "p.jsonl")


def test_what_has_been_measured_is_not_measured_again(tmp_path: Path) -> None:
    loaded, probes = tiny.llava(), [Probe("forget_vqa", EXAMPLES[:3]), Probe("retain_vqa", EXAMPLES[3:5])]
    found = measure_all(loaded, probes, tmp_path, max_new_tokens=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["forget_vqa.jsonl", "retain_vqa.jsonl"]
    assert {name: len(rows) for name, rows in found.items()} == {"forget_vqa": 3, "retain_vqa": 2}
    (tmp_path / "retain_vqa.jsonl").unlink()
    other = measure_all(tiny.llava(seed=5), probes, tmp_path, max_new_tokens=2)
    assert other["forget_vqa"] == found["forget_vqa"]
    assert [row.log_prob for row in other["retain_vqa"]] != [row.log_prob for row in found["retain_vqa"]]
    assert measure_all(loaded, probes, None, max_new_tokens=2) == found


@each_family
def test_a_summary_is_the_score_without_a_base(build: Build) -> None:
    loaded = build()
    script(loaded, {"lives": "Oslo", "live": "Riga"})
    examples = [
        Example("Where lives Ada?", "Oslo", subject="Ada"),
        Example("Where does Ben live?", "Oslo", tiny.picture(1), subject="Ben"),
    ]
    found = summary(loaded, examples, batch_size=1, max_new_tokens=8)
    with torch.no_grad():
        log_probs = Policy(loaded.model.eval()).answer_log_probs(loaded.encoder.batch(examples))
    tokens = [len(loaded.encoder.encode(example).answer_ids) for example in examples]
    probabilities = [exp(log_prob / count) for log_prob, count in zip(log_probs.tolist(), tokens, strict=True)]
    assert (found["n"], found["exact_match"]) == (2, 0.5)
    assert found["mean_log_prob"] == pytest.approx(log_probs.mean().item(), abs=1e-5)
    assert found["mean_answer_probability"] == pytest.approx(sum(probabilities) / 2, rel=1e-5)
    assert found["rouge_l_recall"] == 0.5
    assert found["metrics"]["rouge_l_recall"].keys() == {"score", "low", "high", "n"}
    assert found["metrics"].keys() == {metric.name for metric in BUILT_IN if not metric.needs}
    assert found["exact_match_low"] <= 0.5 <= found["exact_match_high"]


# Answers that are cut.


def test_an_expected_answer_of_any_length_can_be_said_in_full() -> None:
    """A fixed 64 tokens cut a tenth of TOFU's answers, which then could not be right."""
    loaded = tiny.llava()
    long = " ".join(["Riga Oslo"] * 120)
    script(loaded, {"Where": long, "Whence": "Riga"})
    assert len(loaded.encoder.tokenizer(long)["input_ids"]) > 128
    asked = [Example("Where?", long), Example("Whence?", "?", paraphrased_answers=("Riga",))]
    full = measure(loaded, Probe("p", asked))
    assert [(row.correct, row.truncated) for row in full] == [(True, False), (True, False)]
    cut = measure(loaded, Probe("p", asked), max_new_tokens=64)
    assert [(row.correct, row.truncated) for row in cut] == [(False, True), (True, False)]


def test_the_share_of_cut_answers_stands_beside_every_score(tmp_path: Path) -> None:
    records = [record(n, "Ada", "city", True, truncated=n == 0) for n in range(4)]
    assert score(records).to_dict()["truncated"] == 1 / 4
    assert records[1].row()["truncated"] is False
    write_jsonl(tmp_path / "p.jsonl", [row.row() for row in records])
    assert read_records(tmp_path / "p.jsonl") == records
    loaded = tiny.llava()
    script(loaded, {"Where": "San Francisco " * 3, "Whence": "Riga"})
    found = summary(loaded, [Example("Where?", "Riga"), Example("Whence?", "Riga")], max_new_tokens=5)
    assert found["truncated"] == 1 / 2


def test_records_of_before_do_not_say_whether_they_were_cut(tmp_path: Path) -> None:
    old = record(0, "Ada", "city", True)
    assert "truncated" not in old.row()
    write_jsonl(tmp_path / "p.jsonl", [old.row()])
    (row,) = read_records(tmp_path / "p.jsonl")
    assert row.truncated is None
    assert score([row]).truncated is None


def test_options_that_are_long_can_be_said_in_full() -> None:
    loaded = tiny.llava()
    option = "Riga Oslo Lima " * 10
    script(loaded, {"Where": option})
    (row,) = measure(loaded, Probe("p", [Example("Where?", option, choices=(option, "Lima"))]))
    assert row.chosen == option.strip()


# Values that cannot be.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"log_prob": 3.0}, "line 2: log_prob 3 is above 0; log-probabilities are not, losses are"),
        ({"log_prob": "much"}, "line 2: log_prob: input should be a valid number, not 'much'"),
        ({"log_prob": True}, "line 2: log_prob: input should be a valid number, not 'True'"),
        ({"tokens": 0}, "line 2: log_prob needs a number of tokens each, 1 or more"),
        (
            {"perturbed_log_probs": [-1.0, 2.0], "perturbed_tokens": [1, 1]},
            "line 2: perturbed_log_probs 2 is above 0",
        ),
        (
            {"choice_log_probs": [-1.0, -2.0], "choice_tokens": [1]},
            "line 2: choice_log_probs needs a number of tokens each",
        ),
        ({"index": 0}, "line 2: row 0 stands in line 1 already; keep one of them"),
    ],
)
def test_records_that_cannot_be_are_refused(change: dict[str, object], message: str, tmp_path: Path) -> None:
    rows = [record(number, "Ada", "city", True).row() for number in range(2)]
    write_jsonl(tmp_path / "p.jsonl", [rows[0], {**rows[1], **change}])
    with pytest.raises(InputError, match=re.escape(message)):
        read_records(tmp_path / "p.jsonl")


def test_logits_that_are_no_numbers_are_no_score_of_zero() -> None:
    loaded = tiny.llava()
    with torch.no_grad():
        list(loaded.model.parameters())[-1].fill_(nan)
    with pytest.raises(InputError, match=r"the model has logits that are no numbers \(NaN\), first at row 1 of data"):
        summary(loaded, EXAMPLES[:2], max_new_tokens=2)
