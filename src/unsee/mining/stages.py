"""A stage of mining: rows in shards, each a file that is there whole or not at all.

A stage is a folder with `stage.json`, which says from what and how its rows are made, and numbered shards. What is
there is not made again; what was made otherwise is refused. A later stage names the content of the earlier one, so
that rows never go with other rows than those that they were made from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from unsee.errors import InputError
from unsee.system import processes
from unsee.system.files import write_json, write_jsonl
from unsee.system.progress import Steps
from unsee.system.typed import read_typed, read_typed_rows

Row = dict[str, Any]

# What a stage was made from, by where it lies, and the key that tells it by its content.
PLACES = {"model": "fingerprint", "scorer": "fingerprint", "captions": "listing", "lexicons": "names"}


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage in the folder of a run.

    Attributes:
        folder: of the stage.
        rows: how many it has in all.
        shard_size: rows per shard.
        kind: of its rows, as a type that pydantic understands.
        left_out: likewise of those rows that say why they were `skipped`.
    """

    folder: Path
    rows: int
    shard_size: int
    kind: Any
    left_out: Any

    def run(
        self, how: Mapping[str, Any], work: Callable[[int, int], Iterable[Row]], doing: str, unfit: Sequence[str] = ()
    ) -> None:
        """Make what is missing. Several processes take turns with the shards, and go on when all are there.

        Args:
            how: everything that the rows depend on, as JSON.
            work: makes the rows from `start` to `end`, in order.
            doing: what the progress bar says.
            unfit: stages that are of no use either when this one was made otherwise.

        Raises:
            InputError: the stage was made otherwise, or cannot be written, or processes would make it each in a way
                of its own.
        """
        self._check_agreement(how)
        processes.once(lambda: self._claim(how, unfit))
        missing = processes.agreed(self.missing())  # before anybody adds to it
        own = processes.share(missing)
        pace = _rows_in(missing) / max(1, _rows_in(own))  # the others are taken to be as far as this one
        done = self.rows - _rows_in(missing)
        steps = Steps(doing, self.rows, done)
        try:
            with processes.as_one():
                made = count(1)
                for path, start, end in own:
                    rows = _watched(work(start, end), lambda: steps.reach(done + round(pace * next(made))))
                    write_jsonl(path, rows)
        finally:
            steps.close()

    def shards(self) -> Iterator[tuple[Path, int, int]]:
        """File, first row and end of every shard."""
        for number, start in enumerate(range(0, self.rows, self.shard_size)):
            yield self.folder / f"{number:05d}.jsonl", start, min(start + self.shard_size, self.rows)

    def missing(self) -> list[tuple[Path, int, int]]:
        """The shards that are still to be made."""
        return [shard for shard in self.shards() if not shard[0].is_file()]

    def read(self, start: int, end: int) -> list[Row]:
        """The rows of one shard."""
        path = self.folder / f"{start // self.shard_size:05d}.jsonl"
        rows = read_typed_rows(path, self.kind, self.left_out)
        if len(rows) != end - start:
            raise InputError(f"{path}: {len(rows)} rows where {end - start} are due; remove the file to make it again")
        return rows

    def __iter__(self) -> Iterator[Row]:
        """All rows, a shard in memory at a time."""
        for _, start, end in self.shards():
            yield from self.read(start, end)

    def digest(self) -> str:
        """SHA-256 over the content of all shards."""
        hasher = hashlib.sha256()
        for path, _, _ in self.shards():
            try:
                hasher.update(hashlib.sha256(path.read_bytes()).digest())
            except OSError as error:
                raise InputError(f"cannot read {path}: {error.strerror or error}") from error
        return hasher.hexdigest()

    def _check_agreement(self, how: Mapping[str, Any]) -> None:
        """InputError where the processes have been given, or see, different things."""
        of_the_main = processes.agreed(dict(how))
        with processes.as_one():
            if key := _differs(of_the_main, dict(how)):
                raise InputError(
                    f"{self.folder}: {key} is {_short(how.get(key))} in process {processes.rank()} and "
                    f"{_short(of_the_main.get(key))} in the main one; all of them have to see the same files"
                )

    def _claim(self, how: Mapping[str, Any], unfit: Sequence[str]) -> None:
        """InputError unless the folder is empty or was made in the same way."""
        path, wanted = self.folder / "stage.json", json.loads(json.dumps({**how, "shard_size": self.shard_size}))
        if not path.is_file():
            if next(self.folder.glob("*.jsonl"), None):
                raise InputError(f"{self.folder} holds rows but no stage.json; give another --out")
            write_json(path, wanted)
            return
        stored = read_typed(path, dict[str, Any])
        key = _differs(stored, wanted)
        if key is not None:
            names = " and ".join([self.folder.name, *unfit])
            raise InputError(
                f"{self.folder} was made otherwise ({key} was {_short(stored.get(key))}, now it is "
                f"{_short(wanted.get(key))}); give another --out, or remove {names} from this one"
            )


def _differs(stored: Row, wanted: Row) -> str | None:
    """The first key that shows rows to be made otherwise.

    What lies in a place counts, not how the place is spelt: relative, in full, or by a link to it. Where something else
    lies in another place, the place is the better thing to name.
    """
    other = [key for key in [*wanted, *stored] if stored.get(key) != wanted.get(key)]
    told = [key for key in other if key not in PLACES or PLACES[key] in other]
    return next((key for key in told if key in PLACES), next(iter(told), None))


def _rows_in(shards: Iterable[tuple[Path, int, int]]) -> int:
    return sum(end - start for _, start, end in shards)


def _watched(rows: Iterable[Row], advance: Callable[[], None]) -> Iterator[Row]:
    for row in rows:
        yield row
        advance()


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
