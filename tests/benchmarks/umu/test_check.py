"""The check of UMU-Bench is silent about what is whole, and names each anomaly and what a copy loses."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.exports import Edit, cut, damages, findings, rows_of, spoilt, twice, without_the_first
from tests.benchmarks.umu.test_load import edited
from unsee.benchmarks import find
from unsee.benchmarks.validate import validate


def test_export_of_umu_has_no_anomaly(umu_folder: Path) -> None:
    counts, odd = validate(umu_folder, find("umu"))
    assert (counts["Full_Set"], counts["Real_Person_Set"], counts["forget_15"]) == (20, 4, 3)
    assert odd == []


def drop(kind: str) -> Callable[[dict[str, Any]], Any]:
    return lambda cell: cell[kind].pop("city")


@pytest.mark.parametrize(
    ("column", "edit", "level", "words"),
    [
        ("Cloze", drop("muitimodal"), "error", "Cloze: 'city' is asked in one modality alone"),
        ("Cloze", drop("unimodal"), "note", "Cloze: 'city' is asked in one modality alone"),
        ("Cloze", lambda cell: cell["unimodal"]["city"].update(answer="."), "error", "Cloze: no answer to 'city'"),
        ("Cloze", lambda cell: cell["unimodal"]["city"].update(answer="Rome"), "note", "'city' have different answers"),
        ("Cloze", lambda cell: cell["unimodal"].update(city="?"), "error", "'city' is no question with its answer"),
        ("Classify", lambda cell: cell["unimodal"]["city"]["options"].update(A="x", B="x"), "note", "are the same"),
        (
            "UM_QA",
            lambda cell: cell["answer"].pop("city_1"),
            "error",
            "questions and answers have different keys",
        ),
        ("UM_QA", lambda cell: cell.pop("answer"), "error", "UM_QA: no mapping under 'answer'"),
    ],
)
def test_anomalies_are_named(
    umu_folder: Path, tmp_path: Path, column: str, edit: Callable[[Any], Any], level: str, words: str
) -> None:
    folder = spoilt(umu_folder, tmp_path / "copy", "forget_5", edited(column, edit))
    assert any(where == "forget_5, row 1" and words in message for where, message in findings(folder, "umu", level))


def test_an_answer_in_neither_modality_is_named(umu_folder: Path, tmp_path: Path) -> None:
    def edit(cell: dict[str, Any]) -> None:
        for kind in ("unimodal", "muitimodal"):
            cell[kind]["city"]["answer"] = "E"

    folder = spoilt(umu_folder, tmp_path / "copy", "forget_5", edited("Classify", edit))
    assert ("forget_5, row 1", "Classify: no answer to 'city', or one that is none of its options") in findings(
        folder, "umu", "error"
    )


def test_trained_questions_are_counted(umu_folder: Path, tmp_path: Path) -> None:
    asked = ast.literal_eval(rows_of(umu_folder, "forget_5")[0]["Generation"])["muitimodal"]["city"]["question"]
    edit = edited("MM_QA", lambda cell: cell["question"].update(city_1=asked.upper()))
    folder = spoilt(umu_folder, tmp_path / "copy", "forget_5", edit)
    assert ("forget_5", "1 of 30 evaluation questions are trained on") in findings(folder, "umu", "note")


def test_a_whole_copy_is_not_suspected(umu_folder: Path) -> None:
    assert damages(umu_folder, "umu") == []


@pytest.mark.parametrize(
    ("config", "edit", "problem"),
    [
        ("retain_95", without_the_first("ID"), "1 people of Full_Set are neither forgotten nor retained"),
        ("forget_5", twice, "forget_5: people that are there twice"),
        ("Real_Person_Set", twice, "Real_Person_Set: people that are there twice"),
        ("forget_5", edited("Cloze", lambda cell: cell["unimodal"].clear()), "has no questions in Cloze"),
        ("forget_5", edited("MM_QA", lambda cell: cell["question"].clear()), "has no questions in MM_QA"),
        ("forget_5", lambda rows: cut(rows[0]["image"]), "image bytes is a broken picture"),
    ],
)
def test_damage_is_named(umu_folder: Path, tmp_path: Path, config: str, edit: Edit, problem: str) -> None:
    lines = damages(spoilt(umu_folder, tmp_path / "copy", config, edit), "umu")
    assert any(problem in line for line in lines), lines


def test_people_in_both_sets_are_damage_and_an_error(umu_folder: Path, tmp_path: Path) -> None:
    kept = rows_of(umu_folder, "retain_95")[0]
    folder = spoilt(umu_folder, tmp_path / "copy", "forget_5", lambda rows: [*rows, kept])
    assert any(line.startswith("forget_5 and retain_95: 1 people in both") for line in damages(folder, "umu"))
    assert any("1 people are in both" in message for _, message in findings(folder, "umu", "error"))
