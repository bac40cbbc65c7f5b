"""The validator is silent about what is whole, and names each known anomaly of the published data."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.benchmarks.exports import Rows, file_of, rows_of, spoilt, without_column
from tests.data.conftest import refused
from unsee.benchmarks import find
from unsee.benchmarks.validate import validate


def found(folder: Path, kind: str, level: str) -> list[tuple[str, str]]:
    return [(one.where, one.message) for one in validate(folder, find(kind))[1] if one.level == level]


def test_export_of_clear_has_one_anomaly_its_pictures_are_stored_again_and_again(clear_folder: Path) -> None:
    counts, findings = validate(clear_folder, find("clear"))
    assert counts["full"] == len(rows_of(clear_folder, "full"))
    assert [(one.level, one.where) for one in findings] == [("note", "all")]
    assert "different pictures are stored" in findings[0].message


def test_export_of_mllmu_has_no_anomaly(mllmu_folder: Path) -> None:
    counts, findings = validate(mllmu_folder, find("mllmu"))
    assert counts["Full_Set"] == 40
    assert findings == []


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
def test_anomalies_of_clear_are_named(
    clear_folder: Path,
    tmp_path: Path,
    config: str,
    edit: Callable[[Rows], Any],
    level: str,
    where: str,
    words: str,
) -> None:
    def in_place(rows: Rows) -> Rows | None:
        edited = edit(rows)
        return edited if isinstance(edited, list) and edited and isinstance(edited[0], dict) else None

    folder = spoilt(clear_folder, tmp_path / "copy", config, in_place)
    assert any(one == where and words in message for one, message in found(folder, "clear", level))


def test_people_in_both_sets_are_an_error(clear_folder: Path, tmp_path: Path) -> None:
    forgotten = rows_of(clear_folder, "forget10")[0]
    folder = spoilt(clear_folder, tmp_path / "copy", "retain90", lambda rows: [*rows, forgotten])
    errors = dict(found(folder, "clear", "error"))
    assert errors["forget10, retain90"] == f"1 people are in both: {forgotten['name']}"


def test_columns_and_types_are_checked_exactly(clear_folder: Path, tmp_path: Path) -> None:
    folder = without_column(clear_folder, tmp_path / "copy", "forget10", "name")
    path = file_of(folder, "retain_perturbed")
    table = pq.read_table(path).rename_columns({"perturbed_names": "perturbed_nams"})
    pq.write_table(table.set_column(1, "caption", pa.array(range(len(table)))), path)
    errors, notes = found(folder, "clear", "error"), found(folder, "clear", "note")
    assert ("forget10", "no column 'name'") in errors
    assert ("retain_perturbed", "column 'caption' is int64, not string") in errors
    assert ("retain_perturbed", "no column 'perturbed_names'") in errors
    assert ("retain_perturbed", "a further column 'perturbed_nams'") in notes


def test_large_types_and_another_order_of_columns_are_no_difference(clear_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(clear_folder, folder)
    path = file_of(folder, "real_world")
    table = pq.read_table(path).select(["options", "answer", "image", "question"])
    schema = table.schema.set(0, pa.field("options", pa.large_list(pa.large_string())))
    pq.write_table(table.cast(schema), path)
    assert found(folder, "clear", "error") == []


def test_missing_configuration_is_an_error(clear_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(clear_folder, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "real_faces")
    assert found(tmp_path / "copy", "clear", "error") == [("real_faces", "is missing")]


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
def test_anomalies_of_mllmu_are_named(
    mllmu_folder: Path, tmp_path: Path, config: str, edit: Callable[[Any], Any], level: str, where: str, words: str
) -> None:
    folder = spoilt(mllmu_folder, tmp_path / "copy", config, lambda rows: edit(rows[0]))
    assert any(one == where and words in message for one, message in found(folder, "mllmu", level))


def test_evaluation_questions_among_the_training_questions_are_counted(mllmu_folder: Path, tmp_path: Path) -> None:
    question = rows_of(mllmu_folder, "Full_Set")[0]["Classification_Task"]["Image_Textual_Questions"][0]["Question"]
    leaked = json.dumps([{"Question": question.upper(), "Answer": "a"}])
    folder = spoilt(mllmu_folder, tmp_path / "copy", "ft_Data", lambda rows: rows[0].update(metadata=leaked))
    assert ("Full_Set, ft_Data", "1 of 720 evaluation questions are trained on") in found(folder, "mllmu", "note")


def test_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    assert "none of the configurations of clear" in refused(validate, tmp_path, find("clear"))
    assert "only a local folder can be checked" in refused(validate, "therem/CLEAR", find("clear"))
