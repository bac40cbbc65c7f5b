"""A benchmark with many configurations: a local folder in the layout of a hub repository, or the repository itself.

A folder holds `CONFIG/train-00000-of-00001.parquet` and so on (`data/` for the configuration `default`), whatever its
README.md names instead, or one file `CONFIG.json`, `.jsonl` or `.parquet`. Another split than `train` is named behind
the source, as in `CLEAR#test`. Rows are read a few at a time, pictures stay the bytes that they are, and columns that
nobody asks for are not read.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from unsee.data.folders import USUAL_SPLIT, hub_rows
from unsee.data.rows import Row, check_text
from unsee.data.tables import file_rows, legible, parquet_rows
from unsee.errors import InputError, did_you_mean
from unsee.system.files import read_text
from unsee.system.strict import parse_yaml

if TYPE_CHECKING:
    import pyarrow as pa

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)
_FILES = (".parquet", ".jsonl", ".json")


@dataclass(frozen=True)
class Folder:
    """A benchmark in a folder."""

    path: Path
    split: str = USUAL_SPLIT
    folders: Mapping[str, str] = field(default_factory=dict)  # of configurations, where no card names their files

    def __str__(self) -> str:
        return str(self.path)

    @cached_property
    def _card(self) -> dict[str, list[str]]:
        """Configuration -> patterns of its files, as the front matter of README.md says; empty without any."""
        if not (self.path / "README.md").is_file():
            return {}
        parts = read_text(self.path / "README.md").split("---\n")
        try:
            head = parse_yaml(parts[1], "README.md") if len(parts) > 2 and not parts[0].strip() else None
        except InputError:  # a card that cannot be read says nothing
            head = None
        configs = head.get("configs") if isinstance(head, dict) else None
        patterns = {}
        for config in configs if isinstance(configs, list) else []:
            files = config.get("data_files") if isinstance(config, dict) else None
            if isinstance(files, str):
                patterns[str(config.get("config_name"))] = [files]
            elif isinstance(files, list):
                patterns[str(config.get("config_name"))] = [
                    str(entry["path"])
                    for entry in files
                    if isinstance(entry, dict) and entry.get("split") == self.split
                ]
        return patterns

    @property
    def _shards(self) -> str:
        return f"{glob.escape(self.split)}-*.parquet"

    @property
    def configs(self) -> list[str]:
        """Which configurations there are."""
        names = {path.stem for path in self.path.iterdir() if path.suffix in _FILES}
        names |= {path.name for path in self.path.iterdir() if path.is_dir() and any(path.glob(self._shards))}
        names = {"default" if name == "data" else name for name in names}
        return sorted(names | {name for name in self._card if self.files(name)})

    def has(self, config: str) -> bool:
        """Whether there is such a configuration."""
        return bool(self.files(config))

    def files(self, config: str) -> list[Path]:
        """The files of a configuration, in order; empty when there is none."""
        for pattern in self._card.get(config, []):
            if not os.path.isabs(pattern) and ".." not in Path(pattern).parts:
                paths = sorted(path for path in self.path.glob(pattern) if path.suffix in _FILES)
                if paths:
                    return paths
        for folder in ("data" if config == "default" else config, self.folders.get(config)):
            if folder and (paths := sorted((self.path / folder).glob(self._shards))):
                return paths
        return [path for suffix in _FILES if (path := self.path / f"{config}{suffix}").is_file()][:1]

    def rows(self, config: str, columns: Sequence[str]) -> Iterator[Row]:
        """The rows of a configuration, with these columns.

        Raises:
            InputError: no such configuration, a file that cannot be read, or a column that is not there.
        """
        files = self.files(config)
        if not files:
            known = self.configs
            there = f"; there are {', '.join(known)}" if known else "; the folder holds no configuration at all"
            raise InputError(f"{self.path}: no configuration {config!r}{did_you_mean(config, known)}{there}")
        for path in files:
            if path.suffix == ".parquet":
                yield from _parquet_rows(path, columns)
            else:
                yield from (_with_columns(row, columns) for row in file_rows(path))

    def schema(self, config: str) -> pa.Schema | None:
        """The columns and types of a configuration; None where its files (JSON) declare none."""
        from pyarrow import parquet

        path = self.files(config)[0]
        if path.suffix != ".parquet":
            return None
        with _legible(path):
            return parquet.read_schema(path)


@dataclass(frozen=True)
class Hub:
    """A benchmark on the Hugging Face hub; `datasets` keeps what it has fetched, and HF_HUB_OFFLINE=1 is obeyed."""

    name: str
    split: str = USUAL_SPLIT

    def __str__(self) -> str:
        return self.name

    def has(self, config: str) -> bool:
        """Whether there is such a configuration."""
        import datasets

        with legible(f"{self.name}: no file or folder here, and no data set from the hub", "check the name"):
            return config in datasets.get_dataset_config_names(self.name)

    def rows(self, config: str, columns: Sequence[str]) -> Iterator[Row]:
        """As `Folder.rows`."""
        return (_with_columns(row, columns) for row in hub_rows(self.name, config, self.split))


Source = Folder | Hub


def open_source(source: str | Path, folders: Mapping[str, str] | None = None) -> Source:
    """A folder, or a hub id such as `therem/CLEAR`; behind it the split to read, as in `therem/CLEAR#test`.

    Args:
        source: where the benchmark is.
        folders: by configuration, the folder that it lies in where that is called otherwise and no card says so.

    Raises:
        InputError: there is no such folder, and it cannot be a hub id.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        return Folder(path, folders=folders or {})
    whole, _, split = str(source).partition("#")
    path = Path(whole).expanduser()
    if path.is_dir() and split:
        return Folder(path, split, folders or {})
    if isinstance(source, str) and _HUB_ID.fullmatch(whole) and not path.parent.exists():
        return Hub(whole, split or USUAL_SPLIT)
    raise InputError(f"no such folder: {source}; give a folder in the layout of the hub, or a hub id as therem/CLEAR")


def text(row: Row, column: str) -> str:
    """The text under a column, which must have some."""
    return check_text(row.values.get(column), column, row)


def texts(row: Row, column: str) -> tuple[str, ...]:
    """The texts of a list column, which must have some."""
    values = row.values.get(column)
    if not isinstance(values, list | tuple) or not values:
        raise row.fail(column, f"{'an empty list' if values in ([], ()) else type(values).__name__}; it needs texts")
    return tuple(check_text(value, column, row) for value in values)


def _parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    def known(found: Sequence[str]) -> list[str]:
        missing = [column for column in columns if column not in found]
        if missing:
            raise _no_column(str(path), missing[0], found)
        return list(columns)

    with _legible(path):
        for number, values in enumerate(parquet_rows(path, known), start=1):
            yield Row(values, f"{path}, row {number}", path.parent)


def _with_columns(row: Row, columns: Sequence[str]) -> Row:
    for column in columns:
        if column not in row.values:
            raise _no_column(row.where, column, list(row.values))
    return row


def _no_column(where: str, column: str, columns: Sequence[str]) -> InputError:
    return InputError(f"{where}: no column {column!r}{did_you_mean(column, columns)}; found {', '.join(columns)}")


def _legible(path: Path) -> AbstractContextManager[None]:
    return legible(f"{path}: not a Parquet file that can be read", "fetch it anew")
