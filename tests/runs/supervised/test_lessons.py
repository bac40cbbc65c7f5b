"""What base and gold learn, which probes they ought to know, and which of them a training looks at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.runs.supervised.conftest import ROWS, Given
from unsee.benchmarks import load_benchmark
from unsee.data import Benchmark, Example, Probe
from unsee.errors import InputError
from unsee.runs.supervised import lessons as supervised
from unsee.runs.supervised.lessons import Lessons, lessons
from unsee.runs.supervised.settings import Role

FORGOTTEN = ["forget_caption_vqa", "forget_name_vqa", "forget_qa"]
CLEAR_KEPT = ["retain_caption_vqa", "retain_name_vqa", "retain_qa"]


def of_role(given: Given, folder: Path, name: str, role: str, request: str | None = None) -> Lessons:
    return lessons(given(benchmark=name, source=str(folder), role=role, request=request))


def test_the_base_ought_to_know_all_that_is_about_its_people(given: Given, clear_folder: Path) -> None:
    taught = of_role(given, clear_folder, "clear", "base")
    assert [probe.name for probe in taught.probes] == [*FORGOTTEN, *CLEAR_KEPT]
    assert list(taught.rows) == load_benchmark(clear_folder, "clear").base_rows


@pytest.mark.parametrize(
    ("request_", "taught_of_them"),
    [("visual", ["forget_qa"]), ("textual", ["forget_caption_vqa"]), ("both", [])],
)
def test_gold_is_asked_what_it_must_not_know_and_never_waited_for_there(
    given: Given, clear_folder: Path, request_: str, taught_of_them: list[str]
) -> None:
    taught = of_role(given, clear_folder, "clear", "gold", request_)
    assert [probe.name for probe in taught.probes] == [*FORGOTTEN, *CLEAR_KEPT]
    assert list(taught.watched) == [*taught_of_them, "retain_caption_vqa", "retain_qa"]
    assert list(taught.rows) == load_benchmark(clear_folder, "clear", request=request_).gold_rows


def test_until_looks_at_the_probes_that_ask_what_is_taught(given: Given, clear_folder: Path) -> None:
    base = of_role(given, clear_folder, "clear", "base")
    assert base.watched == ("forget_caption_vqa", "forget_qa", "retain_caption_vqa", "retain_qa")
    assert [probe.name for probe in base.probes if probe.trained_on] == list(base.watched)


def test_where_no_probe_asks_what_is_taught_some_training_rows_are_looked_at(given: Given, mllmu_folder: Path) -> None:
    taught = of_role(given, mllmu_folder, "mllmu", "base", "visual")
    assert taught.watched == ("training_rows",)
    assert "forget_generation_vqa" in {probe.name for probe in taught.probes}
    assert not [probe.name for probe in taught.probes if probe.name.startswith("celebrity")]
    asked = taught.probes[-1]
    assert (asked.name, asked.trained_on, len(asked)) == ("training_rows", True, 64)
    assert set(asked.examples) <= set(taught.rows)


def test_probes_that_were_given_are_looked_at(given: Given) -> None:
    own = Probe("own", [Example("Where does Bob live?", "Riga")])
    taught = lessons(given(), ROWS, [own])
    assert taught.watched == ("own",)
    assert [probe.trained_on for probe in taught.probes] == [False]
    both = lessons(given(until={"probes": ["own", "training_rows"]}), ROWS, [own])
    assert both.watched == ("own", "training_rows")
    assert [probe.name for probe in both.probes] == ["own", "training_rows"]


@pytest.mark.parametrize("kept", ["retain", "preserve", "learned"])
def test_gold_is_not_made_of_a_copy_that_keeps_what_is_to_go(
    given: Given, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = replace(ROWS[0], question=f" {ROWS[0].question}", answer="as anybody says")
    sets: dict[str, Any] = {kept: [*ROWS[1:], again]}
    copy = Benchmark("copy", ROWS[:1], **sets)
    monkeypatch.setattr(supervised, "load_benchmark", lambda *_, **__: copy)
    with pytest.raises(InputError, match="gold would learn what is to be forgotten"):
        lessons(given(benchmark="clear", source=".", role="gold"))
    assert lessons(given(benchmark="clear", source=".", role="base")).rows == copy.base_rows


def test_what_does_not_go_together_is_refused(given: Given) -> None:
    own = Probe("own", ROWS)
    for settings, probes, complaint in (
        (given(until={"probes": "owm"}), [own], "until.probes: no probe 'owm'"),
        (given(), [own, own], "own is the name of another probe"),
    ):
        with pytest.raises(InputError, match=complaint):
            lessons(settings, ROWS, probes)
    with pytest.raises(InputError, match="no rows to learn"):
        lessons(given(), [])
    with pytest.raises(InputError, match="nothing to learn is given"):
        lessons(given())


def test_a_model_from_nothing_may_learn_the_probes_but_gold_not_those_of_what_is_to_go(
    given: Given, clear_folder: Path
) -> None:
    benchmark = load_benchmark(clear_folder, "clear")
    by_name = {probe.name: list(probe.examples) for probe in benchmark.probes}
    roles: list[Role] = ["base", "gold"]
    base, gold = (
        lessons(given(benchmark="clear", source=str(clear_folder), role=role, learn_probes=True)) for role in roles
    )
    assert set(base.watched) == set(by_name) == {probe.name for probe in base.probes}
    assert set(by_name["forget_name_vqa"]) <= set(base.rows)
    assert set(gold.watched) == set(by_name) - {"forget_name_vqa", "forget_caption_vqa"}
    assert {(row.image, row.question) for row in gold.rows}.isdisjoint(
        (row.image, row.question) for name in ("forget_name_vqa", "forget_caption_vqa") for row in by_name[name]
    )
    asked = [(row.image, row.question) for row in base.rows]
    plain = [(row.image, row.question) for row in benchmark.base_rows]
    assert len(asked) - len(set(asked)) == len(plain) - len(set(plain))  # none is added twice
