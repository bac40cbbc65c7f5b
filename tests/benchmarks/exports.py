"""Small exported worlds, and ways to spoil them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Rows = list[dict[str, Any]]


def file_of(folder: Path, config: str) -> Path:
    """The one file of a configuration."""
    (path,) = (folder / ("data" if config == "default" else config)).glob("train-*.parquet")
    return path


def rows_of(folder: Path, config: str) -> Rows:
    """Its rows."""
    rows: Rows = pq.read_table(file_of(folder, config)).to_pylist()
    return rows


def spoilt(folder: Path, copy: Path, config: str, edit: Callable[[Rows], Rows | None]) -> Path:
    """A copy of an export in which the rows of one configuration are edited."""
    if not copy.exists():
        shutil.copytree(folder, copy)
    path = file_of(copy, config)
    table = pq.read_table(path)
    rows = table.to_pylist()
    pq.write_table(pa.Table.from_pylist(edit(rows) or rows, schema=table.schema), path)
    return copy


def without_column(folder: Path, copy: Path, config: str, column: str) -> Path:
    """A copy of an export in which one configuration lacks a column."""
    shutil.copytree(folder, copy)
    path = file_of(copy, config)
    pq.write_table(pq.read_table(path).drop_columns([column]), path)
    return copy
