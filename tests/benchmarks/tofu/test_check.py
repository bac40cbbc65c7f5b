"""The check of TOFU names what parts, nests or matches no longer, and what a copy loses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.exports import Edit, damages, findings, rows_of, spoilt, twice


@pytest.mark.parametrize(
    ("config", "edit", "level", "where", "words"),
    [
        ("full", lambda rows: rows[1:], "note", "forget10, retain90", "1 rows are not in full"),
        ("forget10", lambda rows: rows[0].update(answer=" "), "error", "forget10", "no answer in 1 rows: 1"),
        (
            "forget10_perturbed",
            lambda rows: rows[0].update(question="Who?"),
            "note",
            "forget10, forget10_perturbed",
            "2 questions are in one of them only",
        ),
    ],
)
def test_anomalies_are_named(
    tofu_folder: Path, tmp_path: Path, config: str, edit: Edit, level: str, where: str, words: str
) -> None:
    folder = spoilt(tofu_folder, tmp_path / "copy", config, edit)
    assert any(place == where and words in message for place, message in findings(folder, "tofu", level))


def test_a_whole_copy_is_not_suspected(tofu_folder: Path) -> None:
    assert damages(tofu_folder, "tofu") == []


@pytest.mark.parametrize(
    ("config", "edit", "problem"),
    [
        ("retain90", lambda rows: rows[20:], "20 questions of full are neither forgotten nor retained"),
        ("forget10", lambda rows: rows[1:], "forget10: 19 questions, which are not 20 a person"),
        ("forget10", twice, "forget: 1 rows are there twice: 2"),
        ("forget10_perturbed", lambda rows: rows[1:], "forget10_perturbed: 19 questions, forget10 has 20"),
    ],
)
def test_damage_is_named(tofu_folder: Path, tmp_path: Path, config: str, edit: Edit, problem: str) -> None:
    lines = damages(spoilt(tofu_folder, tmp_path / "copy", config, edit), "tofu")
    assert any(problem in line for line in lines), lines


def test_people_in_both_sets_are_damage(tofu_folder: Path, tmp_path: Path) -> None:
    kept = rows_of(tofu_folder, "retain90")[0]
    folder = spoilt(tofu_folder, tmp_path / "copy", "forget10", lambda rows: [*rows, kept])
    assert any(line.startswith("forget10 and retain90: 1 ") for line in damages(folder, "tofu"))
