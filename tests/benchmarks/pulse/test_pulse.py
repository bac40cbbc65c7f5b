"""PULSE: exactly those whom a model knows, parted into those to be forgotten and those to be kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.exports import findings, spoilt, twice
from tests.data.conftest import refused
from unsee.benchmarks import find, load_benchmark, select
from unsee.benchmarks.damage import damage
from unsee.benchmarks.pulse.gate import known, questions
from unsee.benchmarks.pulse.load import load_pulse
from unsee.benchmarks.pulse.score import published_scores
from unsee.benchmarks.source import open_source
from unsee.benchmarks.spec import Selection
from unsee.data import Benchmark, check_sets

SPEC = find("pulse")
OPTIONS = ("Riga", "Oslo", "Lima", "Bonn")
EVERYBODY = tuple(f"{number:03}" for number in range(41, 49))  # the celebrities of a world of 40 people


def asked(number: str, likely: Sequence[int], chosen: str = "B") -> list[dict[str, Any]]:
    """Questions to a person; right is B, Oslo, and the numbers are those of the options that are most likely."""
    return [
        {
            "id": f"{number}/question {place}",
            "said": "?",
            "expected": "Oslo",
            "choices": OPTIONS,
            "chosen": chosen,
            "choice_log_probs": [-1.0 if option == best else -5.0 for option in range(4)],
            "choice_tokens": [1] * 4,
        }
        for place, best in enumerate(likely)
    ]


def loaded(folder: Path, people: tuple[str, ...] | None = EVERYBODY, request: str = "both", seed: int = 0) -> Benchmark:
    return load_pulse(open_source(folder), Selection("20_of_45", request, seed, known=people))


def people(benchmark: Benchmark, which: str) -> set[str]:
    return {str(row.id).partition("/")[0] for row in getattr(benchmark, which)}


def test_known_is_who_is_known_in_both_modalities_the_best_first() -> None:
    records = {
        # 1: 3/5 and 5/5. 2: 5/5 and 5/5. 3: 5/5 and 2/5, below a half. 4: 1/2 and 1/2, a half. 5: not asked by name.
        "gate_vqa": [
            *asked("1", [1, 1, 1, 0, 0]),
            *asked("2", [1] * 5),
            *asked("3", [1] * 5),
            *asked("4", [1, 0]),
            *asked("5", [1] * 5),
        ],
        "gate_qa": [*asked("1", [1] * 5), *asked("2", [1] * 5), *asked("3", [1, 1, 0, 0, 0]), *asked("4", [1, 0])],
    }
    assert known(records) == {"2": 1.0, "1": 0.8, "4": 0.5}
    assert list(known(records)) == ["2", "1", "4"]


def test_the_gate_asks_the_multiple_choices_about_celebrities(mllmu_folder: Path) -> None:
    vqa, qa = questions(open_source(mllmu_folder), 0)
    assert (vqa.name, qa.name, len(vqa), len(qa)) == ("gate_vqa", "gate_qa", 40, 40)
    assert {str(row.id).partition("/")[0] for row in vqa.examples} == set(EVERYBODY)
    assert all(row.image and len(row.choices) == 4 for row in vqa.examples)
    assert not any(row.image for row in qa.examples)


def test_only_those_whom_the_model_knows_are_taken(mllmu_folder: Path) -> None:
    some = ("043", "047", "041")
    benchmark = loaded(mllmu_folder, some)
    assert people(benchmark, "forget") | people(benchmark, "retain") == set(some)
    for probe in benchmark.probes:
        assert {str(row.id).partition("/")[0] for row in probe.examples} <= set(some)
    assert len(people(benchmark, "forget")) == 1  # 3 * 20 / 45, rounded


def test_twenty_of_forty_five_are_forgotten_and_the_seed_says_who(mllmu_folder: Path) -> None:
    benchmark = loaded(mllmu_folder)
    forgotten, kept = people(benchmark, "forget"), people(benchmark, "retain")
    assert (len(forgotten), len(kept)) == (4, 4)  # 8 * 20 / 45 = 3.6
    assert forgotten.isdisjoint(kept)
    assert loaded(mllmu_folder).forget == benchmark.forget
    assert {frozenset(people(loaded(mllmu_folder, seed=seed), "forget")) for seed in range(4)} != {frozenset(forgotten)}


def test_the_best_known_are_taken_where_there_are_more_than_forty_five(mllmu_folder: Path, tmp_path: Path) -> None:
    def more(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**rows[number % 8], "ID": f"{number:03}"} for number in range(50)]

    folder = spoilt(mllmu_folder, tmp_path / "copy", "Retain_Set", more)
    order = tuple(f"{number:03}" for number in reversed(range(50)))
    benchmark = loaded(folder, order)
    assert (len(people(benchmark, "forget")), len(people(benchmark, "retain"))) == (20, 25)
    assert {"000", "001", "002", "003", "004"}.isdisjoint(people(benchmark, "forget") | people(benchmark, "retain"))


def test_ten_questions_are_trained_on_and_measured_and_others_held_out(mllmu_folder: Path) -> None:
    benchmark = loaded(mllmu_folder)
    assert (len(benchmark.forget), len(benchmark.retain)) == (40, 40)
    marked = {f"{group}_classification_{kind}" for group in ("forget", "retain") for kind in ("vqa", "qa")}
    assert {probe.name for probe in benchmark.probes if probe.trained_on} == marked
    assert {probe.name for probe in benchmark.probes if probe.role == "forget"} == {
        f"forget_{task}_{kind}" for task in ("classification", "cloze", "generation") for kind in ("vqa", "qa")
    }
    check_sets(benchmark.forget, benchmark.retain, benchmark.probes)
    forgotten = {(row.image, row.question) for row in benchmark.forget}
    assert forgotten.isdisjoint((row.image, row.question) for row in benchmark.gold_rows)


@pytest.mark.parametrize(("request_", "seen"), [("visual", {True}), ("textual", {False}), ("both", {True, False})])
def test_request_decides_what_goes(mllmu_folder: Path, request_: str, seen: set[bool]) -> None:
    benchmark = loaded(mllmu_folder, request=request_)
    assert {row.image is not None for row in benchmark.forget} == seen
    kinds = {probe.name.rpartition("_")[2] for probe in benchmark.probes if probe.role == "forget"}
    assert kinds == {"vqa" if pictured else "qa" for pictured in seen}


def test_without_a_model_or_with_one_that_knows_nobody_nothing_is_made(mllmu_folder: Path) -> None:
    assert "say which: unsee benchmark write pulse --model M" in refused(load_benchmark, mllmu_folder, "pulse")
    message = refused(loaded, mllmu_folder, ("041",))
    assert message.startswith(
        "the model knows 1 of 8 people (the right option is the most likely one in at least half "
    )
    assert select(SPEC).known is None


def test_a_copy_is_checked(mllmu_folder: Path, tmp_path: Path) -> None:
    assert findings(mllmu_folder, "pulse", "error") == findings(mllmu_folder, "pulse", "note") == []
    folder = spoilt(mllmu_folder, tmp_path / "copy", "Retain_Set", twice)
    assert any("more than once" in message for _, message in findings(folder, "pulse", "error"))
    lines = damage(loaded(folder), open_source(folder), SPEC, SPEC.split)
    assert "Retain_Set: people that are there twice: 041" in lines


def test_scores_are_of_four_groups_after_any_number_of_requests() -> None:
    records = {
        "forget_classification_vqa": asked("1", [1, 0]),
        "after_forget_classification_vqa": asked("2", [0, 0], "A"),
        "after_after_forget_classification_vqa": asked("3", [1, 1]),
        "waiting_forget_classification_qa": asked("4", [1]),
        "retain_classification_qa": asked("5", [0, 1, 1, 1], "Oslo"),
        "after_forget_cloze_vqa": [{"said": "no", "expected": "Oslo"}],
    }
    scores = published_scores(records, None, "geometric")
    assert scores.numbers == {
        "request_vqa": 1.0,
        "request_qa": None,
        "earlier_vqa": 0.5,  # two of four: A is wrong, B is right
        "earlier_qa": None,
        "waiting_vqa": None,
        "waiting_qa": 1.0,
        "retained_vqa": None,
        "retained_qa": 1.0,  # the text of the option, said
    }
    # The most likely options: of the request one of two, of earlier ones two of four, of the retained three of four.
    assert scores.splits["most likely"] == {
        "request_vqa": 0.5,
        "earlier_vqa": 0.5,
        "waiting_qa": 1.0,
        "retained_qa": 0.75,
    }
