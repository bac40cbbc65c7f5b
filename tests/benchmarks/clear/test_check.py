"""The check of CLEAR is silent about what is whole, and names each known anomaly and what a copy loses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.exports import Edit, Rows, cut, damages, findings, rows_of, spoilt, twice, without_the_first
from unsee.benchmarks import find
from unsee.benchmarks.validate import validate


def test_export_of_clear_has_one_anomaly_its_pictures_are_stored_again_and_again(clear_folder: Path) -> None:
    counts, odd = validate(clear_folder, find("clear"))
    assert counts["full"] == len(rows_of(clear_folder, "full"))
    assert [(one.level, one.where) for one in odd] == [("note", "all")]
    assert "different pictures are stored" in odd[0].message


def drop_first(rows: Rows) -> Rows:
    return rows[1:]


def other_caption(rows: Rows) -> None:
    rows[0]["caption"] = "Somebody else."


@pytest.mark.parametrize(
    ("config", "edit", "level", "where", "words"),
    [
        # retain and forget together have two rows more than `full`
        ("full", lambda rows: rows[2:], "note", "forget10, retain90", "2 rows are not in full"),
        # 379 rows, 378 perturbed ones
        ("forget10_perturbed", drop_first, "note", "forget10, forget10_perturbed", "1 captions have no perturbed row"),
        ("forget10_perturbed", other_caption, "error", "forget10, forget10_perturbed", "have no caption"),
        ("forget05", other_caption, "note", "forget05", "1 captions do not say the name: rows 1"),
        ("forget05", other_caption, "note", "forget05, forget10", "are not nested"),
        ("forget10", lambda rows: rows[0].update(caption=None), "error", "forget10", "no caption in 1 rows: 1"),
        ("real_faces", lambda rows: rows[0].update(image=None), "error", "real_faces", "options and no picture: 1"),
        (
            "real_faces",
            lambda rows: rows[0]["options"].append(rows[0]["answer"]),
            "note",
            "real_faces",
            "options hold the right answer in 1 rows: 1",
        ),
        ("real_faces", lambda rows: rows[0]["options"].pop(), "note", "real_faces", "options differ in number"),
        (
            "full+tofu",
            lambda rows: rows[0].update(question="Who?"),
            "error",
            "full+tofu",
            "not one of caption and question: 1",
        ),
        (
            "real_world",
            lambda rows: rows[4]["image"].update(bytes=b"GIF8 but not really"),
            "error",
            "real_world",
            "1 pictures that cannot be opened",
        ),
    ],
)
def test_anomalies_are_named(
    clear_folder: Path,
    tmp_path: Path,
    config: str,
    edit: Edit,
    level: str,
    where: str,
    words: str,
) -> None:
    folder = spoilt(clear_folder, tmp_path / "copy", config, edit)
    assert any(one == where and words in message for one, message in findings(folder, "clear", level))


def test_people_in_both_sets_are_an_error(clear_folder: Path, tmp_path: Path) -> None:
    forgotten = rows_of(clear_folder, "forget10")[0]
    folder = spoilt(clear_folder, tmp_path / "copy", "retain90", lambda rows: [*rows, forgotten])
    errors = dict(findings(folder, "clear", "error"))
    assert errors["forget10, retain90"] == f"1 people are in both: {forgotten['name']}"


def test_a_whole_copy_is_not_suspected(clear_folder: Path) -> None:
    assert damages(clear_folder, "clear") == []


@pytest.mark.parametrize(
    ("config", "edit", "problem"),
    [
        ("retain90", without_the_first("name"), "1 people of full are neither forgotten nor retained"),
        ("forget10_perturbed", without_the_first("name"), "forget10_perturbed: 1 people who are to be forgotten"),
        ("forget10", twice, "forget: 1 rows are there twice: 2"),
        ("real_faces", twice, "real_faces: 1 rows are there twice: 2"),
        ("retain90", lambda rows: cut(rows[3]["image"]), "retain, row 4: image bytes is a broken picture"),
        ("forget10+tofu", lambda rows: rows[-1].update(question=None), "not one of caption and question"),
        ("retain90+tofu", lambda rows: rows[:-1], "questions, which are not 20 a person"),
    ],
)
def test_damage_is_named(clear_folder: Path, tmp_path: Path, config: str, edit: Edit, problem: str) -> None:
    lines = damages(spoilt(clear_folder, tmp_path / "copy", config, edit), "clear")
    assert any(problem in line for line in lines), lines


def test_people_in_both_sets_are_damage(clear_folder: Path, tmp_path: Path) -> None:
    kept = rows_of(clear_folder, "retain90")[0]
    folder = spoilt(clear_folder, tmp_path / "copy", "forget10", lambda rows: [*rows, kept])
    assert any(line.startswith("forget10 and retain90: 1 ") for line in damages(folder, "clear"))
