"""Columns and types are those that a spec names, and nothing but them is checked of every benchmark alike."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.exports import file_of, findings, without_column
from tests.data.conftest import refused
from unsee.benchmarks import find
from unsee.benchmarks.validate import validate


def test_columns_and_types_are_checked_exactly(clear_folder: Path, tmp_path: Path) -> None:
    folder = without_column(clear_folder, tmp_path / "copy", "forget10", "name")
    path = file_of(folder, "retain_perturbed")
    table = pq.read_table(path).rename_columns({"perturbed_names": "perturbed_nams"})
    pq.write_table(table.set_column(1, "caption", pa.array(range(len(table)))), path)
    errors, notes = findings(folder, "clear", "error"), findings(folder, "clear", "note")
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
    assert findings(folder, "clear", "error") == []


def test_missing_configuration_is_an_error(clear_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(clear_folder, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "real_faces")
    assert findings(tmp_path / "copy", "clear", "error") == [("real_faces", "is missing")]


def test_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    assert "none of the configurations of clear" in refused(validate, tmp_path, find("clear"))
    assert "only a local folder can be checked" in refused(validate, "therem/CLEAR", find("clear"))
