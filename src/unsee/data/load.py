"""Load the examples that a user brings: a file, a folder, or a data set on the Hugging Face hub."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unsee.data.example import Example, ImageSource
from unsee.data.pictures import decode
from unsee.data.rows import Row
from unsee.errors import InputError, did_you_mean
from unsee.files import numbered_jsonl, read_json, read_jsonl, read_text
from unsee.progress import progress

if TYPE_CHECKING:
    from datasets import IterableDataset

SUFFIXES = (".jsonl", ".json", ".parquet")
FOLDERS = "a folder holds .jsonl or .parquet files, pictures with a metadata.jsonl, or what save_to_disk wrote"
_HUB_ID = re.compile(r"(?P<name>[\w-][\w.-]*/[\w-][\w.-]*)(:(?P<config>[\w.-]+))?", re.ASCII)
# What `datasets`, pyarrow and the hub client raise for data that they cannot find or read.
_UNREADABLE = (OSError, ValueError, RuntimeError, LookupError, TypeError)


def load_examples(
    source: str | Path, split: str = "train", limit: int | None = None, check_images: bool = True
) -> list[Example]:
    """Read and check examples.

    Args:
        source: a `.jsonl`, `.json` or `.parquet` file; a folder that `datasets` saved, in the layout of a hub
            repository, or with a file `SPLIT.jsonl`; or a hub id `owner/name`. Folders and hub ids may name one of
            several configurations, `owner/name:config`. Only a hub id reaches for the network, and not with
            HF_HUB_OFFLINE=1.
        split: which split of a folder or a hub data set; a single file has none.
        limit: read the first rows only.
        check_images: decode every picture once, so that a broken one is found now and not hours later.

    Returns:
        At least one example, in the order of the rows.

    Raises:
        InputError: for anything wrong with the source, a row or a picture: one line that says where and what
            would be right.
    """
    if limit is not None and limit < 1:
        raise InputError(f"limit is {limit}; it must be 1 or more")
    rows = islice(_rows(source, split), limit)
    found = [(row.where, row.example()) for row in rows]
    if not found:
        raise InputError(f"{source} holds no rows; it needs at least one with a question and an answer")
    if check_images:
        _check_images(found)
    return _share_bytes([example for _, example in found])


def examples_from_rows(rows: Iterable[dict[str, Any]], name: str = "rows", folder: str | Path = ".") -> list[Example]:
    """Examples from rows in memory (a list of dicts, a `datasets.Dataset`), in the same layouts as files.

    Args:
        rows: the rows; a picture may also be a PIL image, which is kept as PNG.
        name: what error messages call them.
        folder: where relative image paths start.

    Raises:
        InputError: if a row is not understood. Pictures are not decoded.
    """
    return [Row(row, f"{name}, row {number}", Path(folder)).example() for number, row in enumerate(rows, start=1)]


def _rows(source: str | Path, split: str) -> Iterator[Row]:
    path = Path(source)
    if os.path.isdir(path):
        return _folder_rows(path, None, split)
    if os.path.exists(path):
        return _file_rows(path)
    folder, _, config = str(source).rpartition(":")
    if os.path.isdir(folder):
        return _folder_rows(Path(folder), config, split)
    hub = _HUB_ID.fullmatch(source) if isinstance(source, str) else None
    # `data/forgt` beside a folder `data` is a slip of the pen, not a wish to ask the hub.
    if hub and path.suffix not in SUFFIXES and not path.parent.exists():
        return hub_rows(hub["name"], hub["config"], split)
    raise InputError(f"no such file or folder: {source}{_nearby(path)}")


def _nearby(path: Path) -> str:
    try:
        return did_you_mean(path.name, [entry.name for entry in path.parent.iterdir()])
    except OSError:
        return "; its folder cannot be looked into"


def _file_rows(path: Path) -> Iterator[Row]:
    readers = {".jsonl": numbered_jsonl, ".json": _numbered_json, ".parquet": _numbered_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: unknown kind of file {path.suffix or path.name!r}; use {', '.join(SUFFIXES)}")
    return (Row(values, f"{path}, row {number}", path.parent) for number, values in reader(path))


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


def _folder_rows(folder: Path, config: str | None, split: str) -> Iterator[Row]:
    for suffix in SUFFIXES if config is None else ():
        if (folder / f"{split}{suffix}").is_file():
            return _file_rows(folder / f"{split}{suffix}")
    with legible(f"{folder}: no data that can be loaded", FOLDERS):
        try:
            splits = _open_folder(folder, config, split)
        except ValueError:
            for path in sorted(folder.rglob("*.jsonl")):
                read_jsonl(path)  # names the file and the line, if that is what is broken
            raise
    if split not in splits:
        raise InputError(f"{folder}: no split {split!r}; there are {', '.join(map(str, splits))}")
    return _dataset_rows(splits[split], str(folder), folder)


def _open_folder(folder: Path, config: str | None, split: str) -> dict[str, IterableDataset]:
    """The splits of a folder; one that was saved without splits is whatever split is asked for."""
    import datasets

    if config is None and ((folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()):
        saved = datasets.load_from_disk(str(folder))
        splits = saved if isinstance(saved, datasets.DatasetDict) else {split: saved}
        return {name: data.to_iterable_dataset() for name, data in splits.items()}
    # Streaming reads the files where they are; otherwise `datasets` would copy them all to its cache first.
    return dict(datasets.load_dataset(str(folder), config, streaming=True))


def hub_rows(name: str, config: str | None, split: str) -> Iterator[Row]:
    """The rows of a data set on the hub; pictures stay the bytes that they are."""
    import datasets

    label = f"{name}:{config}" if config else name
    with legible(f"{label}: no file or folder here, and no data set from the hub", "check the name and the split"):
        data = datasets.load_dataset(name, config, split=split)
    return _dataset_rows(data.to_iterable_dataset(), label, Path())


def _dataset_rows(data: IterableDataset, name: str, folder: Path) -> Iterator[Row]:
    with legible(f"{name}: data that cannot be read", "write it anew"):
        # Undecoded, a picture stays the bytes that it was: nothing is re-encoded, and we check before decoding.
        for number, values in enumerate(data.decode(False), start=1):
            yield Row(values, f"{name}, row {number}", folder)


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


def _check_images(found: Sequence[tuple[str, Example]]) -> None:
    """Decode each picture once, however many questions are asked about it."""
    checked: set[ImageSource] = set()
    for where, example in progress(found, "checking images"):
        if example.image is None or example.image in checked:
            continue
        try:
            decode(example.image)
        except InputError as error:
            raise InputError(f"{where}, image: {error}") from error
        checked.add(example.image)


def _share_bytes(examples: list[Example]) -> list[Example]:
    """Let questions about the same picture hold one copy of its bytes."""
    pictures: dict[bytes, bytes] = {}
    return [
        replace(example, image=pictures.setdefault(example.image, example.image))
        if isinstance(example.image, bytes)
        else example
        for example in examples
    ]
