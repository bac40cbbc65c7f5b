"""Records that were made before: matched, row by row, with what would be asked again, and where they are from."""

from __future__ import annotations

import hashlib
import shutil
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from unsee.data import Example, Probe
from unsee.data.pictures import image_hash
from unsee.errors import InputError
from unsee.evaluation.records import Record, read_records
from unsee.system.atomic import whole_folder
from unsee.system.files import write_json, write_jsonl
from unsee.system.typed import read_typed

Records = dict[str, list[Record]]  # by probe

MARK = "source.json"  # beside records that a run did not make by asking its own model: whose they are


def is_records_folder(folder: Path) -> bool:
    """Whether a folder holds records, and no model."""
    models = ("config.json", "adapter_config.json")
    return any(folder.glob("*.jsonl")) and not any((folder / name).exists() for name in models)


def read_matching(folder: Path, probes: Sequence[Probe], what: str) -> Records:
    """The records in a folder, one for each row of some probes and in their order.

    Args:
        folder: one file a probe, as a run leaves them in `records/base`.
        probes: what would be asked.
        what: what an error message calls them, such as "gold".

    Raises:
        InputError: a probe has no file, or its rows are others than were asked there.
    """
    records: Records = {}
    for probe in probes:
        path = folder / f"{probe.name}.jsonl"
        if not path.is_file():
            raise InputError(f"{what}: {folder} has no records of probe {probe.name} ({path.name}); ask it there too")
        records[probe.name] = matched(read_records(path), probe, f"{what}: {path}")
    return records


def matched(records: Sequence[Record], probe: Probe, where: str) -> list[Record]:
    """Records in the order of a probe's rows, by what was asked: question, answer, subject and picture.

    Records from before pictures were noted are matched without them.

    Args:
        records: of the same rows, in any order.
        probe: whose rows they should be.
        where: what an error message calls the records.

    Raises:
        InputError: a row has no record, or a record no row.
    """
    pictures = any(record.image for record in records)
    waiting: dict[Any, deque[Record]] = defaultdict(deque)
    for record in records:
        waiting[_asked(record.question, record.expected, record.subject, record.image if pictures else None)].append(
            record
        )
    ordered = []
    for place, example in enumerate(probe.examples):
        left = waiting[_asked_of(example, pictures)]
        if not left:
            raise InputError(
                f"{where}: row {place + 1} of probe {probe.name} ({_short(example.question)}) was not asked there, or "
                "with another picture or answer; give records of the same rows"
            )
        ordered.append(replace(left.popleft(), probe=probe.name, index=place))
    if over := next((left[0] for left in waiting.values() if left), None):
        raise InputError(
            f"{where}: {len(records)} rows where probe {probe.name} has {len(probe)}, such as {_short(over.question)}; "
            "give records of the same rows"
        )
    return ordered


def _asked(question: str, expected: str, subject: str | None, image: str | None) -> Any:
    return question, expected, subject, image


def _asked_of(example: Example, pictures: bool) -> Any:
    image = image_hash(example.image) if pictures else None
    return _asked(example.question, example.answer, example.subject, image)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def digest_of(folder: Path, probes: Sequence[str]) -> str:
    """SHA-256 over the files of records of some probes."""
    total = hashlib.sha256()
    for name in probes:
        path = folder / f"{name}.jsonl"
        total.update(path.read_bytes() if path.is_file() else b"\0")
    return total.hexdigest()


def keep(folder: Path, records: Records, mark: dict[str, Any]) -> None:
    """Put records into a folder of a run, with where they are from; what was there makes room."""
    shutil.rmtree(folder, ignore_errors=True)
    with whole_folder(folder) as temporary:
        for name, rows in records.items():
            write_jsonl(temporary / f"{name}.jsonl", [row.row() for row in rows])
        write_json(temporary / MARK, mark)


def read_mark(folder: Path) -> dict[str, Any]:
    """Where the records of a folder are from; empty where they are the run's own."""
    path = folder / MARK
    mark: dict[str, Any] = read_typed(path, dict[str, Any]) if path.is_file() else {}
    return mark
