"""The same command started several times on a folder that all see, as a job array does.

Every shard claims jobs one by one (`unsee.system.claims`), first those of its own share and then those of the others,
and waits for jobs that others do. Any shard may die: those who are left take its claims over, and do its share.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unsee.errors import InputError
from unsee.system.atomic import remove_unfinished
from unsee.system.claims import Claims, is_listed
from unsee.system.devices import environments
from unsee.system.lock import CLAIMS, holder_of
from unsee.system.owner import Owner
from unsee.system.patience import Patience
from unsee.system.progress import Steps
from unsee.system.workers import Counted, Job, work_off

LOOKS_EVERY = 1.0  # seconds from one look at what others have done to the next
_SHARD = "shard-"  # before the key of what a shard claims as long as it is at work


@dataclass(frozen=True)
class Share:
    """Which of several shards a program is, from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Share:
        """As in "3/8".

        Raises:
            InputError: it is anything else.
        """
        match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text.strip())
        if match is None or int(match[2]) == 0:
            raise InputError(f"--shard {text!r}: give which of how many, counted from 1, as in 3/8")
        number, of = int(match[1]), int(match[2])
        if not 1 <= number <= of:
            raise InputError(
                f"--shard {text!r}: of {of} the first is 1/{of} and the last {of}/{of}, as in sbatch --array=1-{of}"
            )
        return cls(number, of)

    def order(self, jobs: Sequence[Job]) -> list[Job]:
        """This one's share of some jobs first, and then those of the shards that follow it."""
        places = sorted(range(len(jobs)), key=lambda place: ((place - self.number + 1) % self.of, place))
        return [jobs[place] for place in places]


class Sharded:
    """Runs jobs beside other shards; an `unsee.system.executors.Executor`.

    Args:
        share: which shard this is.
        workers: processes of this shard at a time, where not one for each accelerator or core of the machine.
    """

    def __init__(self, share: Share, workers: int | None = None) -> None:
        self.share, self._workers = share, workers
        self._folder: Path | None = None
        self._claims: Claims | None = None

    @contextmanager
    def at_work(self, folder: Path, what: Mapping[str, Any]) -> Iterator[None]:
        """See `unsee.system.executors.Executor.at_work`: other shards are let in that do the same."""
        plan = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]
        me = Owner.this()
        with Claims(folder / CLAIMS) as claims:
            claims.claim(f"{_SHARD}{plan}-{me.machine}-{me.pid}-{me.started}")  # first: a bench looks for it
            _check(folder, claims, plan)
            claims.sweep(_SHARD)
            remove_unfinished(folder)
            self._folder, self._claims = folder.absolute(), claims
            yield
            claims.sweep(_SHARD)  # the last one takes away all that is left

    def run(self, jobs: Sequence[Job], description: str, steps: int, done: int = 0) -> None:
        """See `unsee.system.executors.Executor.run`; every job has an outcome, and counts as one step."""
        assert self._folder
        with closing(Steps(description, steps, done)) as bar:
            counted = Counted(bar)
            source = _Claimed(self.share.order(jobs), self._at_work, self._folder, counted)
            work_off(source, environments(self._workers)[: len(jobs)], counted.advance)

    @property
    def _at_work(self) -> Claims:
        assert self._claims, "jobs are run within `at_work`"
        return self._claims


def refuse_shards(folder: Path) -> None:
    """InputError while shards are at work in a folder; files of dead ones are taken away.

    To be called by who holds the lock of the folder, for which shards look in turn.
    """
    claims = Claims(folder / CLAIMS)
    for _, holder in claims.living(_SHARD):
        raise InputError(
            f"out: {folder} is in use by a shard, {holder or 'another process'}; wait until all of them end, "
            "start this one with --shard as well, or give another folder"
        )
    claims.clear()


def _check(folder: Path, claims: Claims, plan: str) -> None:
    if holder := holder_of(folder):
        raise InputError(f"out: {folder} is in use by {holder}, which is no shard; wait until it ends")
    for key, other in claims.living(_SHARD):
        if not key.startswith(f"{_SHARD}{plan}-"):
            raise InputError(
                f"out: {folder} is in use by a shard that does something else, {other or 'another process'}; "
                "start all with the same command, apart from --shard"
            )


class _Claimed:
    """Jobs that others may do as well, as a `unsee.system.workers.Source`."""

    def __init__(self, jobs: Sequence[Job], claims: Claims, folder: Path, counted: Counted) -> None:
        self._claims, self._folder, self._counted = claims, folder, counted
        self._open = {self._key(job): job for job in jobs}  # neither done nor being done here
        self._turn, self._stopped = threading.Lock(), threading.Event()  # one thread at a time looks
        self._patience = Patience()

    def take(self) -> Job | None:
        """The next job that nobody does; waits while others do all that is left, since they may die."""
        with self._turn:
            while not self._stopped.is_set():
                if job := self._next():
                    return job
                if not self._open:
                    return None
                self._tell()
                self._stopped.wait(LOOKS_EVERY)
        return None

    def finish(self, job: Job) -> None:
        """Let others know by its outcome."""
        if not is_listed(Path(job.outcome).absolute(), self._folder):
            raise RuntimeError(f"{job.function} has come to its end and left no {job.outcome}")
        self._claims.release(self._key(job))

    def stop(self) -> None:
        """See `unsee.system.workers.Source.stop`."""
        self._stopped.set()

    def _next(self) -> Job | None:
        for key, job in list(self._open.items()):
            if os.path.exists(job.outcome):
                self._pass_over(key)
            elif self._claims.claim(key):
                if not is_listed(Path(job.outcome).absolute(), self._folder):
                    return self._open.pop(key)
                self._claims.release(key)
                self._pass_over(key)
        return None

    def _pass_over(self, key: str) -> None:
        del self._open[key]
        self._counted.advance()

    def _tell(self) -> None:
        holders = {str(holder) for key, holder in self._claims.living() if key in self._open and holder}
        if holders:
            cells = f"{len(self._open)} of its cells are" if len(self._open) > 1 else "one of its cells is"
            self._patience.tell(f"{cells} being done by {'; '.join(sorted(holders)[:3])}")

    def _key(self, job: Job) -> str:
        """The same on machines that have the folder under different names."""
        return hashlib.sha256(os.path.relpath(job.outcome, self._folder).encode()).hexdigest()[:20]
