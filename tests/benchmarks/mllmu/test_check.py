"""The check of MLLMU-Bench is silent about what is whole, and names each known anomaly and what a copy loses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.exports import Edit, cut, damages, findings, rows_of, spoilt, twice, without_the_first
from unsee.benchmarks import find
from unsee.benchmarks.validate import validate


def test_export_of_mllmu_has_no_anomaly(mllmu_folder: Path) -> None:
    counts, odd = validate(mllmu_folder, find("mllmu"))
    assert counts["Full_Set"] == 40
    assert odd == []


@pytest.mark.parametrize(
    ("config", "edit", "level", "where", "words"),
    [
        (
            "forget_5",
            lambda row: row["Classification_Task"]["Pure_Text_Questions"][0].update(Correct_Answer="X"),
            "error",
            "forget_5, row 1",
            "Correct_Answer is 'X'",
        ),
        (
            "forget_5",
            lambda row: row["Mask_Task"][0].update(Question="No gap."),
            "note",
            "forget_5, row 1",
            "not one blank",
        ),
        (
            "forget_5",
            lambda row: row["Mask_Task"][0].update(Ground_Truth=""),
            "error",
            "forget_5, row 1",
            "Ground_Truth",
        ),
        ("forget_5", lambda row: row.update(ID="001"), "note", "forget_5, forget_10", "are not nested"),
        ("Test_Set", lambda row: row.update(ID="x"), "error", "Test_Set", "1 people of Full_Set are missing"),
        ("ft_Data", lambda row: row.update(metadata="broken"), "error", "ft_Data", "is no JSON list"),
    ],
)
def test_anomalies_are_named(
    mllmu_folder: Path, tmp_path: Path, config: str, edit: Callable[[Any], Any], level: str, where: str, words: str
) -> None:
    folder = spoilt(mllmu_folder, tmp_path / "copy", config, lambda rows: edit(rows[0]))
    assert any(one == where and words in message for one, message in findings(folder, "mllmu", level))


def test_evaluation_questions_among_the_training_questions_are_counted(mllmu_folder: Path, tmp_path: Path) -> None:
    question = rows_of(mllmu_folder, "Full_Set")[0]["Classification_Task"]["Image_Textual_Questions"][0]["Question"]
    leaked = json.dumps([{"Question": question.upper(), "Answer": "a"}])
    folder = spoilt(mllmu_folder, tmp_path / "copy", "ft_Data", lambda rows: rows[0].update(metadata=leaked))
    assert ("Full_Set, ft_Data", "1 of 720 evaluation questions are trained on") in findings(folder, "mllmu", "note")


def test_a_whole_copy_is_not_suspected(mllmu_folder: Path) -> None:
    assert damages(mllmu_folder, "mllmu") == []


@pytest.mark.parametrize(
    ("config", "edit", "problem"),
    [
        ("retain_95", without_the_first("ID"), "1 people of Full_Set are neither forgotten nor retained"),
        ("Test_Set", lambda rows: rows[:1], "people who are to be forgotten are missing"),
        ("forget_5", twice, "forget_5: people that are there twice"),
        ("ft_Data", twice, "ft_Data: people that are there twice"),
        ("ft_Data", lambda rows: rows[0].update(metadata="[]"), "ft_Data: people without questions"),
        ("forget_5", lambda rows: rows[0].update(Mask_Task=[]), "has no questions in Mask_Task"),
        ("forget_5", lambda rows: cut(rows[0]["image"]), "image bytes is a broken picture"),
    ],
)
def test_damage_is_named(mllmu_folder: Path, tmp_path: Path, config: str, edit: Edit, problem: str) -> None:
    lines = damages(spoilt(mllmu_folder, tmp_path / "copy", config, edit), "mllmu")
    assert any(problem in line for line in lines), lines


def test_people_in_both_sets_are_damage(mllmu_folder: Path, tmp_path: Path) -> None:
    kept = rows_of(mllmu_folder, "retain_95")[0]
    folder = spoilt(mllmu_folder, tmp_path / "copy", "forget_5", lambda rows: [*rows, kept])
    assert any(line.startswith("forget_5 and retain_95: 1 ") for line in damages(folder, "mllmu"))
