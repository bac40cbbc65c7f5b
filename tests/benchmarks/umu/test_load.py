"""UMU-Bench: every fact in both modalities, forget and retain apart, cells as Python prints them."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.exports import Rows, rows_of, spoilt
from tests.data.conftest import refused
from unsee.benchmarks import load_benchmark
from unsee.benchmarks.umu.columns import literal
from unsee.data import Benchmark, Example, check_sets
from unsee.errors import InputError
from unsee.metrics.answers import normalise
from unsee.world import FACTS

SETS = {"forget": 2, "retain": 18, "celebrity": 4}
TASKS = ("classification", "cloze", "generation")
REQUESTS = ("visual", "textual", "both")


def probe(benchmark: Benchmark, name: str) -> list[Example]:
    return next(list(probe.examples) for probe in benchmark.probes if probe.name == name)


def edited(column: str, edit: Callable[[dict[str, Any]], Any]) -> Callable[[Rows], None]:
    """Change what a cell of the first row holds."""

    def change(rows: Rows) -> None:
        cell = ast.literal_eval(rows[0][column])
        edit(cell)
        rows[0][column] = repr(cell)

    return change


def test_every_fact_is_asked_in_both_modalities(umu_folder: Path) -> None:
    loaded = load_benchmark(umu_folder, "umu", "forget_10")
    assert {one.name: len(one) for one in loaded.probes} == {
        f"{name}_{task}_{kind}": people * len(FACTS)
        for name, people in SETS.items()
        for task in TASKS
        for kind in ("vqa", "qa")
    }
    for name in SETS:
        for task in TASKS:
            seen, told = (probe(loaded, f"{name}_{task}_{kind}") for kind in ("vqa", "qa"))
            assert [(row.id, row.subject, row.fact) for row in seen] == [
                (row.id, row.subject, row.fact) for row in told
            ]
            assert all(row.image for row in seen)
            assert not any(row.image for row in told)
            assert all(str(row.subject) in row.question for row in told)
            assert not any(str(row.subject) in row.question for row in seen)


@pytest.mark.parametrize("request_", REQUESTS)
def test_request_decides_what_goes_and_which_probes_are_about_that(umu_folder: Path, request_: str) -> None:
    loaded = load_benchmark(umu_folder, "umu", "forget_10", request_)
    visual, textual = 2 * 35 * (request_ != "textual"), 2 * 35 * (request_ != "visual")
    assert [sum(row.image is not None for row in loaded.forget), len(loaded.forget)] == [visual, visual + textual]
    assert len(loaded.retain) == 18 * 35 * (1 if request_ == "visual" else 2)
    assert len(loaded.preserve) == {"visual": 20 * 35, "textual": 2 * 35, "both": 0}[request_]
    gone = {"visual": {"vqa"}, "textual": {"qa"}, "both": {"vqa", "qa"}}[request_]
    assert {one.name for one in loaded.probes if one.role == "forget"} == {
        f"forget_{task}_{kind}" for task in TASKS for kind in gone
    }
    assert not any(one.trained_on for one in loaded.probes)
    check_sets(loaded.forget, loaded.retain, loaded.probes, loaded.preserve)


def test_every_word_of_a_question_is_taught_in_another_one(umu_folder: Path) -> None:
    """A model of the world starts from nothing: what it never met it could not be asked."""
    loaded = load_benchmark(umu_folder, "umu", "forget_10")
    for seen in (True, False):
        taught = {word for row in loaded.forget if (row.image is not None) == seen for word in row.question.split()}
        for name in ("forget_cloze", "forget_generation", "forget_classification"):
            for row in probe(loaded, f"{name}_{'vqa' if seen else 'qa'}"):
                assert taught.issuperset(row.question.split()), row.question


@pytest.mark.parametrize("request_", REQUESTS)
def test_nothing_that_is_forgotten_is_among_what_gold_knows(umu_folder: Path, request_: str) -> None:
    loaded = load_benchmark(umu_folder, "umu", "forget_10", request_)
    forgotten = {(row.image, row.question) for row in loaded.forget}
    assert forgotten.isdisjoint((row.image, row.question) for row in loaded.gold_rows)
    assert len(loaded.base_rows) == 2 * 20 * 35
    names = {ast.literal_eval(row["Biography"])["Name"] for row in rows_of(umu_folder, "forget_10")}
    assert {row.subject for row in loaded.forget} == names
    assert names.isdisjoint(row.subject for row in loaded.retain)


def test_the_whole_request_is_the_default(umu_folder: Path) -> None:
    assert load_benchmark(umu_folder, "umu").request == "both"


def test_answers_come_from_the_cells(umu_folder: Path) -> None:
    loaded = load_benchmark(umu_folder, "umu")
    row = rows_of(umu_folder, "forget_5")[0]
    classify, cloze, generation = (ast.literal_eval(row[name]) for name in ("Classify", "Cloze", "Generation"))
    item, asked = classify["muitimodal"]["city"], probe(loaded, "forget_classification_vqa")[0]
    assert (asked.question, asked.choices) == (item["question"], tuple(item["options"].values()))
    assert asked.answer == item["answer"].removeprefix(f"{item['answer'][0]}. ")
    assert asked.id == "{}/Classify.city".format(row["ID"])
    filled = probe(loaded, "forget_cloze_qa")[0]
    assert filled.question.endswith(cloze["unimodal"]["city"]["question"])
    assert filled.answer == cloze["unimodal"]["city"]["answer"]
    said = probe(loaded, "forget_generation_qa")[0]
    assert said.answer == generation["unimodal"]["city"]["answer"]
    assert said.question == generation["unimodal"]["city"]["question"]
    taught = ast.literal_eval(row["UM_QA"])
    first = next(row for row in loaded.forget if row.image is None)
    assert (first.question, first.answer) == (taught["question"]["city_1"], taught["answer"]["city_1"])


def test_a_full_stop_ends_a_fill_in_and_is_part_of_it_within(umu_folder: Path, tmp_path: Path) -> None:
    edit = edited("Cloze", lambda cell: cell["unimodal"]["city"].update(answer="St. Louis."))
    loaded = load_benchmark(spoilt(umu_folder, tmp_path / "copy", "forget_5", edit), "umu")
    assert probe(loaded, "forget_cloze_qa")[0].answer == "St. Louis"


def test_an_unreadable_letter_is_that_of_the_other_modality(umu_folder: Path, tmp_path: Path) -> None:
    def edit(cell: dict[str, Any]) -> None:
        cell["unimodal"]["city"] |= {
            "options": dict(zip("ABCD", ("Riga", "Oslo", "Lima", "Bonn"), strict=True)),
            "answer": "C",
        }
        cell["muitimodal"]["city"] |= {"options": dict(zip("ABCD", ("a", "b", "c", "d"), strict=True)), "answer": "?"}

    loaded = load_benchmark(spoilt(umu_folder, tmp_path / "copy", "forget_5", edited("Classify", edit)), "umu")
    assert probe(loaded, "forget_classification_qa")[0].answer == "Lima"
    assert probe(loaded, "forget_classification_vqa")[0].answer == "c"


def test_folders_of_the_repository_are_found_where_no_card_names_them(umu_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(umu_folder, copy)
    (copy / "README.md").unlink()
    (copy / "Full_Set").rename(copy / "full_data")
    (copy / "Real_Person_Set").rename(copy / "real_person")
    assert load_benchmark(copy, "umu").probes == load_benchmark(umu_folder, "umu").probes


def test_cells_may_be_json(umu_folder: Path, tmp_path: Path) -> None:
    def as_json(rows: Rows) -> None:
        for row in rows:
            row["Classify"] = json.dumps(ast.literal_eval(row["Classify"]))

    folder = spoilt(umu_folder, tmp_path / "copy", "forget_5", as_json)
    assert load_benchmark(folder, "umu").probes == load_benchmark(umu_folder, "umu").probes


def test_probes_that_repeat_training_rows_say_so_and_are_not_preserved(umu_folder: Path, tmp_path: Path) -> None:
    """Nobody could look whether the published training questions repeat those of the tasks."""

    def repeat(rows: Rows) -> None:
        for row in rows:
            taught, asked = ast.literal_eval(row["UM_QA"]), ast.literal_eval(row["Generation"])["unimodal"]
            taught["question"]["again"], taught["answer"]["again"] = asked["city"]["question"].upper(), "Leaked"
            taught["question"]["same"], taught["answer"]["same"] = asked["award"]["question"], "Leaked"
            row["UM_QA"] = repr(taught)

    folder = spoilt(umu_folder, tmp_path / "copy", "forget_5", repeat)
    told = load_benchmark(folder, "umu", request="textual")
    assert [one.name for one in told.probes if one.trained_on] == ["forget_generation_qa"]
    spared = load_benchmark(folder, "umu", request="visual")
    asked = {normalise(row.question) for one in spared.probes for row in one.examples if row.image is None}
    assert asked.isdisjoint(normalise(row.question) for row in spared.preserve)
    assert spared.preserve


@pytest.mark.parametrize(
    ("column", "written", "expected"),
    [
        ("Cloze", "{'unimodal': ", "Cloze: neither a mapping as Python prints it, nor JSON"),
        ("Cloze", "__import__('os')", "Cloze: neither a mapping as Python prints it, nor JSON"),
        ("Cloze", "{'unimodal': {}}", "Cloze: no mapping under 'muitimodal'; it needs 'muitimodal' and 'unimodal'"),
        ("Cloze", "{'unimodal': {'a': 1}, 'muitimodal': {}}", "Cloze.unimodal.a: no question with its answer"),
        ("Cloze", "", "Cloze: empty"),
        ("UM_QA", "{'question': {'a': 'Who?'}, 'answer': {}}", "UM_QA.a, answer: null"),
        ("MM_QA", "['Who?']", "MM_QA: no mapping under 'question'"),
        (
            "Classify",
            "{'muitimodal': {}, 'unimodal': {'a': {'question': 'q', 'options': {'A': 'x'}, 'answer': 'B'}}}",
            "Classify.unimodal.a: answer is 'B', none of A",
        ),
    ],
)
def test_bad_cells_end_in_one_line(umu_folder: Path, tmp_path: Path, column: str, written: str, expected: str) -> None:
    folder = spoilt(umu_folder, tmp_path / "copy", "forget_5", lambda rows: rows[0].update({column: written}))
    assert expected in refused(load_benchmark, folder, "umu")


def test_a_key_that_stands_twice_is_refused() -> None:
    for written in ("{'a': 1, 'a': 2}", "{'b': {'a': 1, 'a': 2}}", '{"a": 1, "a": 2}'):
        with pytest.raises(InputError, match="twice in one"):
            literal(written, "here")


def test_person_whose_biography_names_nobody_goes_by_number(umu_folder: Path, tmp_path: Path) -> None:
    folder = spoilt(umu_folder, tmp_path / "copy", "forget_5", lambda rows: rows[0].update(Biography="A baker."))
    assert f"person {rows_of(umu_folder, 'forget_5')[0]['ID']}" in {
        row.subject for row in load_benchmark(folder, "umu").forget
    }


def test_facts_whose_keys_end_alike_are_not_one(umu_folder: Path, tmp_path: Path) -> None:
    def renamed(cell: dict[str, Any]) -> None:
        for kind, items in cell.items():
            cell[kind] = {f"{place}.question": item for place, item in enumerate(items.values())}

    folder = spoilt(umu_folder, tmp_path / "copy", "forget_5", edited("Cloze", renamed))
    rows = probe(load_benchmark(folder, "umu", "forget_5"), "forget_cloze_vqa")
    assert [row.fact for row in rows] == [f"{place}.question" for place in range(len(FACTS))]
    assert len({row.id for row in rows}) == len(FACTS)
