"""The rows of one file: JSON Lines, a JSON list, or Parquet, each with the place where it was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from lzma import LZMAError
from pathlib import Path
from tarfile import TarError
from typing import Any
from zipfile import BadZipFile
from zlib import error as ZlibError

from unsee.data.rows import Row
from unsee.errors import InputError
from unsee.system.files import numbered_jsonl, read_json, read_text

SUFFIXES = (".jsonl", ".json", ".parquet")
MAX_UNPACKED = 2**29  # bytes to which a Parquet file may unpack, whatever its size
MAX_RATIO = 20  # times its size; photographs are packed already, and texts fold to a fifth or so
MAX_VALUES = 20_000_000  # of a column
ROWS_AT_ONCE = 64

# What `datasets`, pyarrow and the hub client raise for data that they cannot find or read.
_UNREADABLE = (
    *(OSError, ValueError, RuntimeError, LookupError, TypeError, AttributeError, MemoryError),
    *(EOFError, ImportError, BadZipFile, TarError, LZMAError, ZlibError),
)


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
    with legible(f"{path}: not a Parquet file that can be read", "write it anew"):
        yield from enumerate(parquet_rows(path), start=1)


def parquet_rows(path: Path, columns: Callable[[Sequence[str]], list[str] | None] | None = None) -> Iterator[Any]:
    """The rows of a Parquet file as dictionaries, a few at a time.

    Args:
        path: the file.
        columns: from the names of the columns there are to those that are read; all of them when not given.

    Raises:
        InputError: for a file that unpacks to far more than its own size: by what it says of itself, before anything
            is unpacked, or by what its rows take (a dictionary holds a value once, and any number of rows repeat it).
    """
    from pyarrow import parquet

    most = max(MAX_UNPACKED, MAX_RATIO * path.stat().st_size)
    with parquet.ParquetFile(path) as file:
        about = file.metadata
        groups = [about.row_group(number) for number in range(about.num_row_groups)]
        chunks = [group.column(number) for group in groups for number in range(group.num_columns)]
        if sum(group.total_byte_size for group in groups) > most:
            raise _unpacks(path)
        if max([about.num_rows, *(chunk.num_values for chunk in chunks)]) > MAX_VALUES:
            raise InputError(f"{path}: claims more than {MAX_VALUES} values in a column; split it")
        largest = max((chunk.total_uncompressed_size for chunk in chunks), default=0)
        at_once = max(1, min(ROWS_AT_ONCE, MAX_UNPACKED // (4 * max(largest, 1))))  # each may be the whole chunk
        wanted = columns(file.schema_arrow.names) if columns else None
        repeated = sum(
            chunk.total_uncompressed_size * chunk.num_values for chunk in chunks if chunk.has_dictionary_page
        )
        if repeated > most:  # it may unpack to too much: see before a row is looked at, which takes longer than this
            held = 0
            for batch in file.iter_batches(at_once, columns=wanted):
                held += sum(map(_unpacked, batch.columns))
                if held > most:
                    raise _unpacks(path)
        for batch in file.iter_batches(at_once, columns=wanted):
            yield from batch.to_pylist()


def _unpacked(values: Any) -> int:
    """Bytes that an Arrow array takes when every row has its own copy of what a dictionary holds once."""
    from pyarrow import types

    if types.is_dictionary(values.type):
        return int(values.dictionary_decode().nbytes)
    if types.is_struct(values.type):
        return sum(map(_unpacked, values.flatten()))
    return _unpacked(values.flatten()) if types.is_list(values.type) else int(values.nbytes)


def _unpacks(path: Path) -> InputError:
    size = path.stat().st_size
    return InputError(f"{path}: unpacks to more than {MAX_RATIO} times its {size} bytes; write it without repetition")


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
