"""The rows of one file: JSON Lines, a JSON list, or Parquet, each with the place where it was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unsee.data.rows import Row
from unsee.errors import InputError
from unsee.files import numbered_jsonl, read_json, read_text

SUFFIXES = (".jsonl", ".json", ".parquet")
# What `datasets`, pyarrow and the hub client raise for data that they cannot find or read.
_UNREADABLE = (OSError, ValueError, RuntimeError, LookupError, TypeError)


def file_rows(path: Path, folder: Path | None = None) -> Iterator[Row]:
    """The rows of a file.

    Args:
        path: a `.jsonl`, `.json` or `.parquet` file.
        folder: where relative image paths start; the file's own folder when not given.

    Raises:
        InputError: for another kind of file, at once; for one that is broken, when its rows are read.
    """
    readers: dict[str, Callable[[Path], Iterator[tuple[int, dict[str, Any]]]]] = {
        ".jsonl": numbered_jsonl,
        ".json": _numbered_json,
        ".parquet": _numbered_parquet,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: unknown kind of file {path.suffix or path.name!r}; use {', '.join(SUFFIXES)}")
    return (Row(values, f"{path}, row {number}", folder or path.parent) for number, values in reader(path))


def _numbered_json(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    if not read_text(path).lstrip().startswith("["):
        yield from numbered_jsonl(path)  # `datasets` writes JSON Lines under this name
        return
    for number, row in enumerate(read_json(path), start=1):
        if not isinstance(row, dict):
            raise InputError(f"{path}, row {number}: {type(row).__name__} where an object is expected")
        yield number, row


def _numbered_parquet(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            batches = file.iter_batches(batch_size=64)
            yield from enumerate((row for batch in batches for row in batch.to_pylist()), start=1)
    except _UNREADABLE as error:
        raise InputError(f"{path}: not a Parquet file that can be read ({_reason(error)})") from error


@contextmanager
def legible(problem: str, remedy: str) -> Iterator[None]:
    """Turn what `datasets` and the hub client raise into one line: the problem, its reason, the remedy."""
    from datasets.exceptions import DatasetsError

    try:
        yield
    except InputError:
        raise
    except (*_UNREADABLE, DatasetsError) as error:
        raise InputError(f"{problem} ({_reason(error)}); {remedy}") from error


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200].rstrip(".") if lines else type(error).__name__
