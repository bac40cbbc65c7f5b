"""Where independent jobs run: an executor is told what is to be done, and knows who does it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from unsee.errors import InputError
from unsee.system.devices import environments
from unsee.system.lock import locked
from unsee.system.progress import Steps
from unsee.system.shards import Sharded, Share, refuse_shards
from unsee.system.workers import Counted, Job, Waiting, work_off


class Executor(Protocol):
    """Has jobs done, here or elsewhere."""

    def at_work(self, folder: Path, what: Mapping[str, Any]) -> AbstractContextManager[None]:
        """Within: this program is at work in a folder, and keeps those out that would disturb it.

        Args:
            folder: where all that is written goes.
            what: is to be done there, as JSON holds it.

        Raises:
            InputError: others are at work there.
        """

    def run(self, jobs: Sequence[Job], description: str, steps: int, done: int = 0) -> None:
        """Have jobs done, and come back when all of them are.

        Args:
            jobs: what is to be done; they leave their outcome in files.
            description: for the progress bar.
            steps: how many steps there are in all: those that the jobs will report, and `done` with them.
            done: how many steps were done before.

        Raises:
            InputError: as the first job that failed raised it.
            RuntimeError: when a job failed otherwise, with the traceback.
        """


@dataclass(frozen=True)
class Local:
    """Processes of this machine: one for each accelerator, or for each core where there is none.

    Attributes:
        workers: how many at a time, where not as many as that.
    """

    workers: int | None = None

    @contextmanager
    def at_work(self, folder: Path, what: Mapping[str, Any]) -> Iterator[None]:
        """See `Executor.at_work`."""
        with locked(folder):
            refuse_shards(folder)
            yield

    def run(self, jobs: Sequence[Job], description: str, steps: int, done: int = 0) -> None:
        """See `Executor.run`."""
        with closing(Steps(description, steps, done)) as bar:
            work_off(Waiting(jobs), environments(self.workers)[: len(jobs)], Counted(bar).advance)


def chosen(workers: int | None = None, shard: str | None = None, ray: str | None = None) -> Executor:
    """The executor that options of a command name.

    Args:
        workers: as `--workers` has it.
        shard: as `--shard` has it.
        ray: as `--ray` has it.

    Raises:
        InputError: for what cannot be.
    """
    if ray is not None and shard is not None:
        raise InputError("--ray with --shard: a cluster shares the work out by itself; give one of them")
    if ray is not None:
        from unsee.system.ray_cluster import OnRay

        return OnRay(ray, workers)
    return Sharded(Share.parse(shard), workers) if shard is not None else Local(workers)
