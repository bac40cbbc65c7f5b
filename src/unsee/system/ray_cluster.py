"""Jobs on a Ray cluster that is there already and shares a folder with this machine, which is one of its nodes.

A job takes one accelerator where the cluster has any, else one core and one thread, so that it comes to the same bits
as in a worker of one machine. When a node or a process dies, what it was doing is given to another one.

Ray (Moritz et al. 2018, arXiv 1712.05889) retries on its own as well, but without end where memory is short; so it is
done here, and Ray told not to.
"""

from __future__ import annotations

import json
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from unsee.errors import InputError
from unsee.system.claims import is_listed
from unsee.system.lock import NAME, locked
from unsee.system.patience import Patience
from unsee.system.progress import Steps, report_steps
from unsee.system.ray_nodes import ADDRESS, check_nodes, connected, has, is_installed, library, task
from unsee.system.shards import refuse_shards
from unsee.system.workers import Job, perform

TRIES = 4  # of a job whose process or node dies
LOOKS_EVERY = 1.0  # seconds
GIVEN_UP = 600.0  # seconds without a node that could do anything


class OnRay:
    """Runs jobs on the nodes of a cluster; an `unsee.system.executors.Executor`.

    Args:
        address: HOST:PORT of the head, or "auto" for the cluster that this machine has joined.
        most: jobs at a time, where not as many as the cluster has room for.

    Raises:
        InputError: Ray is not installed, or the address cannot be one.
    """

    def __init__(self, address: str, most: int | None = None) -> None:
        if not is_installed():
            raise InputError("--ray: Ray is not installed; pip install 'unsee[ray]', on every node")
        if address != "auto" and not ADDRESS.fullmatch(address):
            raise InputError(
                f"--ray {address!r}: give HOST:PORT as `ray start --head` prints it, on a machine that has joined the "
                "cluster, or auto there"
            )
        self._address, self._most = address, most
        self._folder = Path()
        self._seen: set[Path] = set()  # paths that every node has

    @contextmanager
    def at_work(self, folder: Path, what: Mapping[str, Any]) -> Iterator[None]:
        """See `unsee.system.executors.Executor.at_work`."""
        with locked(folder), connected(self._address):
            refuse_shards(folder)
            self._folder = folder.absolute()
            check_nodes(self._address, [self._folder / NAME, Path.cwd()])
            yield

    def run(self, jobs: Sequence[Job], description: str, steps: int, done: int = 0) -> None:
        """See `unsee.system.executors.Executor.run`; every job has an outcome, and counts as one step."""
        if unseen := _paths(jobs) - self._seen:
            check_nodes(self._address, sorted(unseen))
        self._seen |= unseen
        with closing(Steps(description, steps, done)) as bar:
            _Tasks(self._address, self._folder, self._most).work_off(jobs, bar.advance)


class _Tasks:
    """Jobs as tasks of Ray, each until it is done."""

    def __init__(self, address: str, folder: Path, most: int | None) -> None:
        self._address, self._folder, self._most = address, folder, most
        self._running: dict[Any, Job] = {}
        self._tries: Counter[str] = Counter()
        self._patience = Patience()
        gpus = library().cluster_resources().get("GPU", 0) >= 1
        self._needs = {"num_cpus": 1, "num_gpus": 1} if gpus else {"num_cpus": 1}
        self._do = task(_work, **self._needs)

    def work_off(self, jobs: Sequence[Job], advance: Callable[[], None]) -> None:
        """Have all done; whatever goes wrong, none goes on."""
        ray = library()
        waiting = deque(jobs)
        try:
            while waiting or self._running:
                while waiting and len(self._running) < (self._most or len(jobs)):
                    job = waiting.popleft()
                    self._running[self._do.remote(json.dumps(asdict(job)), os.getcwd())] = job
                ready, _ = ray.wait(list(self._running), timeout=LOOKS_EVERY)
                for ended in ready:
                    job = self._running.pop(ended)
                    if self._is_done(ended, job):
                        advance()
                    else:
                        waiting.append(job)
                self._see_nodes()
        except BaseException:
            for begun in self._running:
                ray.cancel(begun, force=True)
            raise

    def _is_done(self, ended: Any, job: Job) -> bool:
        """Whether a task has come to its end, or has to be given to another node."""
        ray = library()
        try:
            wrong = ray.get(ended)
        except ray.exceptions.RayTaskError as error:
            raise RuntimeError(str(error)) from None
        except ray.exceptions.RayError as error:  # of a process or node that died
            self._tries[job.outcome] += 1
            if self._tries[job.outcome] >= TRIES:
                raise RuntimeError(f"{job.function} was begun {TRIES} times, and never ended: {error}") from None
            return False
        if wrong is not None:
            raise InputError(wrong)
        if not is_listed(Path(job.outcome).absolute(), self._folder):
            raise InputError(
                f"--ray {self._address}: a node has written {job.outcome}, which is not here; {self._folder} has to "
                "lie on storage that all nodes share"
            )
        return True

    def _see_nodes(self) -> None:
        """Do not wait for ever for nodes that are gone."""
        if has(self._needs):
            self._patience.end()
            return
        self._patience.tell(f"no node of {self._address} is left that could do {len(self._running)} cells")
        if self._patience.seconds > GIVEN_UP:
            raise InputError(
                f"--ray {self._address}: no node has been left for {GIVEN_UP / 60:.0f} minutes; "
                "start the same command again when there are some"
            )


def _work(job: str, place: str) -> str | None:
    """A job in a process of Ray, as a worker of one machine does it; what is wrong with its input, if anything is.

    Args:
        job: as JSON.
        place: the folder in which the program was started, where paths begin.
    """
    import torch

    os.chdir(place)
    report_steps(lambda: None)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    return perform(Job(**json.loads(job)))


def _paths(jobs: Sequence[Job]) -> set[Path]:
    """Whatever is here that jobs name: models, rows, folders."""
    values = {value for job in jobs for value in job.arguments.values() if isinstance(value, str)}
    return {Path(value) for value in values if os.path.isabs(value) and os.path.lexists(value)}
