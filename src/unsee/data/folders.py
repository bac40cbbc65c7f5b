"""Data in many files: a folder, as `datasets` lays it out, and a data set on the hub.

`datasets` says which files there are and which split each belongs to; the files are then read one by one. Read as one
table they would all have to have the columns of the first, and of data whose first file has no pictures the others
would lose theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unsee.data.rows import Row
from unsee.data.tables import SUFFIXES, file_rows, legible
from unsee.errors import InputError
from unsee.system.files import read_jsonl, read_text
from unsee.system.strict import parse_yaml

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

FOLDERS = "a folder holds .jsonl or .parquet files, pictures with a metadata.jsonl, or what save_to_disk wrote"
USUAL_SPLIT = "train"
_NOT_ROWS = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")
_METADATA = ("metadata.jsonl", "metadata.parquet")


def folder_rows(folder: Path, config: str | None, split: str | None) -> Iterator[Row]:
    """The rows of a folder.

    Args:
        folder: with files of rows, pictures with metadata, or what `datasets` saved.
        config: one of several configurations that its README.md names.
        split: which split; `train`, or the only one there is, when not given.

    Raises:
        InputError: for a split that is not there, files of two kinds, or data that cannot be read.
    """
    named = _named_files(folder, split or USUAL_SPLIT) if config is None else []
    if named:
        return _rows_of_files(named, folder)
    if config is None and ((folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()):
        return _saved_rows(folder, split)
    with legible(f"{folder}: no data that can be loaded", FOLDERS):
        try:
            splits = _data_files(folder, config)
        except ValueError:
            for path in sorted(folder.rglob("*.jsonl")):
                read_jsonl(path)  # names the file and the line, if that is what is broken
            raise
    chosen = _choose(splits, split, str(folder))
    files = splits[chosen]
    if any(path.name.lower() in _METADATA for path in files):
        others = {path for name, paths in splits.items() if name != chosen for path in paths}
        return _described_rows([path for path in files if path.name.lower() in _METADATA], others - set(files))
    strange = [path for path in files if path.suffix.lower() not in (*SUFFIXES, ".arrow")]
    if any(path.name.lower() == "metadata.csv" for path in strange):
        return _streamed_rows(folder, config, chosen)
    if strange:
        raise InputError(f"{folder}: {strange[0].name} is no kind of file that is read; {FOLDERS}")
    if config is None:
        _one_kind(files, {path for paths in splits.values() for path in paths})
    return _rows_of_files(files, folder)


def _named_files(folder: Path, split: str) -> list[Path]:
    """`train.jsonl`, or `train-00000-of-00002.jsonl` and so on, beside whatever else is in the folder."""
    numbered = re.compile(re.escape(split) + r"(?:[-_.]?\d[\w.-]*)?")
    files = sorted(folder.iterdir(), key=lambda path: path.stem)
    matches = [path for path in files if path.suffix in SUFFIXES and numbered.fullmatch(path.stem)]
    kinds = {path.suffix: path for path in matches}
    if len(kinds) > 1:
        first, other, *_ = kinds.values()
        raise InputError(f"{folder}: {first.name} and {other.name} are both {split!r}; name the file, or remove one")
    return matches


def _data_files(folder: Path, config: str | None) -> dict[str, list[Path]]:
    """Split -> its files, as `datasets` sorts them."""
    import datasets

    _check_card(folder / "README.md")
    data_files = datasets.load_dataset_builder(str(folder), config).config.data_files or {}
    return {str(split): [Path(str(path).split("::")[-1]) for path in paths] for split, paths in data_files.items()}


def _check_card(card: Path) -> None:
    """InputError for a card whose description of the data is no YAML, or unfolds to too much: `datasets` reads it."""
    parts = read_text(card).split("---\n", maxsplit=2) if card.is_file() else []
    if len(parts) == 3 and not parts[0].strip():
        parse_yaml(parts[1], str(card))


def _choose(splits: Iterable[str], split: str | None, where: str) -> str:
    """The split that is asked for; `train`, or the only one there is, when none is."""
    known = list(map(str, splits))
    if split is None:
        if USUAL_SPLIT in known or len(known) == 1:
            return USUAL_SPLIT if USUAL_SPLIT in known else known[0]
        some = known[0] if known else "test"
        raise InputError(f"{where}: which split? There are {', '.join(known)}; name one, as in {where}#{some}")
    if split not in known:
        raise InputError(f"{where}: no split {split!r}; there are {', '.join(known)}")
    return split


def _one_kind(files: list[Path], listed: set[Path]) -> None:
    """InputError for a file of rows that `datasets` passes over, because most files beside it are of another kind."""
    for folder in {path.parent for path in files}:
        for path in sorted(folder.iterdir()):
            if path.suffix in SUFFIXES and path not in listed and path.name not in _NOT_ROWS:
                raise InputError(
                    f"{path}: would be left out beside {files[0].name}; write both in one kind, or name one file"
                )


def _rows_of_files(files: list[Path], folder: Path) -> Iterator[Row]:
    for path in files:
        yield from _arrow_rows(path, folder) if path.suffix == ".arrow" else file_rows(path, folder)


def _arrow_rows(path: Path, folder: Path) -> Iterator[Row]:
    import datasets

    with legible(f"{path}: data that cannot be read", "write it anew"):
        data = datasets.Dataset.from_file(str(path))
    return dataset_rows(data, str(path), folder)


def _described_rows(files: list[Path], elsewhere: set[Path]) -> Iterator[Row]:
    """Rows about pictures that lie beside their metadata; those about pictures of other splits are passed over."""
    for path in sorted(files):
        for row in file_rows(path):
            values = dict(row.values)
            for name, key in (("file_name", "image"), ("file_names", "images")):
                if name in values and values.get(key) is not None:
                    raise row.fail(name, f"given beside {key}; keep one of the two")
                if name in values:
                    values[key] = values.pop(name)
            image = values.get("image")
            if not (isinstance(image, str) and path.parent / image in elsewhere):
                yield Row(values, row.where, row.folder)


def _saved_rows(folder: Path, split: str | None) -> Iterator[Row]:
    """What `save_to_disk` wrote; what was saved without splits is whatever split is asked for."""
    import datasets

    with legible(f"{folder}: no data that can be loaded", FOLDERS):
        saved = datasets.load_from_disk(str(folder))
    if isinstance(saved, datasets.DatasetDict):
        saved = saved[_choose(saved, split, str(folder))]
    return dataset_rows(saved, str(folder), folder)


def _streamed_rows(folder: Path, config: str | None, split: str) -> Iterator[Row]:
    """Pictures with a metadata.csv, which only `datasets` reads."""
    import datasets

    with legible(f"{folder}: no data that can be loaded", FOLDERS):
        # Streaming reads the files where they are; otherwise `datasets` would copy them all to its cache first.
        data = datasets.load_dataset(str(folder), config, streaming=True)[split]
    return _iterated(data, str(folder), folder)


def hub_rows(name: str, config: str | None, split: str | None) -> Iterator[Row]:
    """The rows of a data set on the hub; pictures stay the bytes that they are."""
    import datasets

    label = f"{name}:{config}" if config else name
    with legible(f"{label}: no file or folder here, and no data set from the hub", "check the name and the split"):
        try:
            data = datasets.load_dataset(name, config, split=split or USUAL_SPLIT)
        except ValueError:
            if split is not None:
                raise
            chosen = _choose(datasets.get_dataset_split_names(name, config), None, label)
            data = datasets.load_dataset(name, config, split=chosen)
    return dataset_rows(data, label, Path())


def dataset_rows(data: Dataset, name: str, folder: Path) -> Iterator[Row]:
    """The rows of a `datasets.Dataset`; pictures stay the bytes that they are.

    Raises:
        InputError: for a row that cannot be read.
    """
    return _iterated(data.to_iterable_dataset(), name, folder)


def _iterated(data: IterableDataset, name: str, folder: Path) -> Iterator[Row]:
    values: Mapping[str, Any]
    with legible(f"{name}: data that cannot be read", "write it anew"):
        # Undecoded, a picture stays the bytes that it was: nothing is re-encoded, and we check before decoding.
        for number, values in enumerate(data.decode(False), start=1):
            yield Row(values, f"{name}, row {number}", folder)
