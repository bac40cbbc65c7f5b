"""Small exported worlds, ways to spoil them, and what checks say of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from unsee.benchmarks import find, load_benchmark
from unsee.benchmarks.damage import damage
from unsee.benchmarks.source import open_source
from unsee.benchmarks.validate import validate

Rows = list[dict[str, Any]]
Edit = Callable[[Rows], Any]  # gives other rows, or changes these and gives whatever


def file_of(folder: Path, config: str) -> Path:
    """The one file of a configuration."""
    (path,) = (folder / ("data" if config == "default" else config)).glob("train-*.parquet")
    return path


def rows_of(folder: Path, config: str) -> Rows:
    """Its rows."""
    rows: Rows = pq.read_table(file_of(folder, config)).to_pylist()
    return rows


def spoilt(folder: Path, copy: Path, config: str, edit: Edit) -> Path:
    """A copy of an export in which the rows of one configuration are edited."""
    if not copy.exists():
        shutil.copytree(folder, copy)
    path = file_of(copy, config)
    table = pq.read_table(path)
    rows = table.to_pylist()
    edited = edit(rows)
    others = isinstance(edited, list) and all(isinstance(row, dict) for row in edited)
    pq.write_table(pa.Table.from_pylist(edited if others else rows, schema=table.schema), path)
    return copy


def without_column(folder: Path, copy: Path, config: str, column: str) -> Path:
    """A copy of an export in which one configuration lacks a column."""
    shutil.copytree(folder, copy)
    path = file_of(copy, config)
    pq.write_table(pq.read_table(path).drop_columns([column]), path)
    return copy


def findings(folder: Path, kind: str, level: str) -> list[tuple[str, str]]:
    """Where something is odd, and what, as a full check says."""
    return [(one.where, one.message) for one in validate(folder, find(kind))[1] if one.level == level]


def damages(folder: Path, kind: str) -> list[str]:
    """What is wrong with a copy, as writing its default split says."""
    spec = find(kind)
    return damage(load_benchmark(folder, kind), open_source(folder), spec, spec.split)


def twice(rows: Rows) -> Rows:
    """The first row doubled."""
    return [rows[0], *rows]


def without_the_first(key: str) -> Edit:
    """Without the rows of the first person."""
    return lambda rows: [row for row in rows if row[key] != rows[0][key]]


def cut(picture: dict[str, Any]) -> None:
    """Take the end of a picture away."""
    picture["bytes"] = picture["bytes"][:-60]
