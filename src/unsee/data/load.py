"""Load the examples that a user brings: a file, a folder, or a data set on the Hugging Face hub."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from unsee.data.example import Example, ImageSource
from unsee.data.folders import folder_rows, hub_rows
from unsee.data.paths import located, not_found
from unsee.data.pictures import check
from unsee.data.rows import Row
from unsee.data.tables import SUFFIXES, file_rows
from unsee.errors import InputError
from unsee.system.progress import progress

SUBJECT = "subject"  # the usual column of it
_HUB_ID = re.compile(r"(?P<name>[\w-][\w.-]*/[\w-][\w.-]*)(:(?P<config>[\w.-]+))?", re.ASCII)


def load_examples(
    source: str | Path,
    split: str | None = None,
    limit: int | None = None,
    check_images: bool = True,
    find_images: bool = True,
    subject: str = SUBJECT,
) -> list[Example]:
    """Read and check examples.

    Args:
        source: a `.jsonl`, `.json` or `.parquet` file; a folder that `datasets` saved, in the layout of a hub
            repository, or with a file `SPLIT.jsonl`; or a hub id `owner/name`. Folders and hub ids may name one of
            several configurations, `owner/name:config`, and both one of several splits behind it, as in `FOLDER#test`
            or `owner/name:config#test`. Only a hub id reaches for the network, and not with HF_HUB_OFFLINE=1.
        split: which split of a folder or a hub data set, if `source` does not say; a single file has none. Without
            one it is `train`, or the only split that there is.
        limit: read the first rows only.
        check_images: decode every picture once, so that a broken one is found now and not hours later.
        find_images: see that every picture is where the row says. Otherwise a path may lead nowhere.
        subject: the column that says whom a row is about.

    Returns:
        At least one example, in the order of the rows.

    Raises:
        InputError: for anything wrong with the source, a row or a picture: one line that says where and what
            would be right.
    """
    if limit is not None and limit < 1:
        raise InputError(f"limit is {limit}; it must be 1 or more")
    rows = islice((_about(row, subject) for row in _rows(source, split)), limit)
    examples = [(row.where, replace(row, find_image=find_images).example()) for row in rows]
    if not examples:
        raise InputError(f"{source} holds no rows; it needs at least one with a question and an answer")
    if check_images:
        _check_images(examples)
    return _share_bytes([example for _, example in examples])


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


def _about(row: Row, subject: str) -> Row:
    """A row whose subject stands in the usual column."""
    return row if subject == SUBJECT else replace(row, values={**row.values, SUBJECT: row.values.get(subject)})


def _rows(source: str | Path, split: str | None) -> Iterator[Row]:
    if not os.path.exists(source):  # what exists under its whole name is that, whatever signs are in it
        whole, mark, named = str(source).rpartition("#")
        if mark:
            if not named or split not in (None, named):
                raise InputError(f"{source}: name one split behind #, as in {whole}#test")
            source, split = whole, named
    path = Path(source)
    if os.path.isdir(path):
        return folder_rows(path, None, split)
    if os.path.exists(path):
        if split is not None:
            raise InputError(f"{path}: one file has no split {split!r}; folders and data sets on the hub have")
        return file_rows(path)
    folder, _, config = str(source).rpartition(":")
    if os.path.isdir(folder):
        return folder_rows(Path(folder), config, split)
    otherwise = located(str(source))
    if otherwise is not None and otherwise != path:
        return _rows(otherwise, split)
    hub = _HUB_ID.fullmatch(source) if isinstance(source, str) else None
    # `data/forgt` beside a folder `data` is a slip of the pen, not a wish to ask the hub.
    if hub and path.suffix not in SUFFIXES and not path.parent.exists():
        return hub_rows(hub["name"], hub["config"], split)
    raise InputError(f"no such file or folder: {source}{not_found(str(source))}")


def _check_images(examples: Sequence[tuple[str, Example]]) -> None:
    """Decode each picture once, however many questions are asked about it."""
    checked: set[ImageSource] = set()
    for where, example in progress(examples, "checking images"):
        if example.image is None or example.image in checked:
            continue
        try:
            check(example.image)
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
