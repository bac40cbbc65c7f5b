"""Where independent jobs run: an executor is told what is to be done, and knows who does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from unsee.system.devices import environments
from unsee.system.lock import locked
from unsee.system.progress import Steps
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

    def at_work(self, folder: Path, what: Mapping[str, Any]) -> AbstractContextManager[None]:
        """See `Executor.at_work`."""
        return locked(folder)

    def run(self, jobs: Sequence[Job], description: str, steps: int, done: int = 0) -> None:
        """See `Executor.run`."""
        with closing(Steps(description, steps, done)) as bar:
            work_off(Waiting(jobs), environments(self.workers)[: len(jobs)], Counted(bar).advance)
