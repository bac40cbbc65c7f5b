"""Independent pieces of work side by side, each in a Python of its own, on one thread or on one accelerator.

One thread a piece, because floating-point sums depend on how they are split: with one, the outcome is the same on a
laptop and on a server. Plain subprocesses rather than `multiprocessing`, because that would import the caller's main
script again and force a guard into it.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from unsee.errors import InputError
from unsee.system import progress

ONE_THREAD: Mapping[str, str] = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_LOOKS_EVERY = 0.5  # seconds from one look at whether the program still lives to the next
_GOES_WITHIN = 30.0  # seconds that a worker without further jobs gets to end
# What a worker says, a line each: a step is done, the job is done, the job's input is wrong (and how).
_STEP, _DONE, _WRONG = "step", "done", "wrong"


@dataclass(frozen=True)
class Job:
    """A function of this package, and arguments that JSON can carry.

    Attributes:
        function: as "package.module:name".
        arguments: by name.
        outcome: the file that it writes last, where there is one: when it is there, the job is done.
    """

    function: str
    arguments: dict[str, Any]
    outcome: str = ""


class Source(Protocol):
    """Where workers get their jobs from; called from a thread for each worker."""

    def take(self) -> Job | None:
        """The next job, perhaps after a while; None when there will be none, or after `stop`."""

    def finish(self, job: Job) -> None:
        """A job that was taken is done."""

    def stop(self) -> None:
        """Have every `take` return at once."""


class Waiting:
    """Jobs that are all to be done here, in their order."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        for job in jobs:
            self._jobs.put(job)

    def take(self) -> Job | None:
        """See `Source.take`."""
        with suppress(queue.Empty):
            return self._jobs.get_nowait()
        return None

    def finish(self, job: Job) -> None:
        """Nobody need be told."""

    def stop(self) -> None:
        """Nobody waits for long."""


def cores() -> int:
    """How many processors this process may use, which a batch system limits."""
    if hasattr(os, "sched_getaffinity"):  # Linux alone
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_all(jobs: Sequence[Job], description: str, steps: int, done: int = 0, workers: int | None = None) -> None:
    """Run jobs on the processor, as many at a time as there are cores, under one progress bar.

    Args:
        jobs: what is to be done; they leave their outcome in files.
        description: for the bar.
        steps: how many steps all jobs together will report through `unsee.system.progress.Steps`, and `done` with them.
        done: how many steps were done before.
        workers: how many at a time, where not as many as there are cores.

    Raises:
        InputError: as the first job that failed raised it.
        RuntimeError: with the worker's own traceback, when a job failed otherwise.
    """
    environments = [ONE_THREAD] * min(len(jobs), workers or cores())
    with closing(progress.Steps(description, steps, done)) as bar:
        work_off(Waiting(jobs), environments, Counted(bar).advance)


class Counted:
    """Steps that several threads report."""

    def __init__(self, bar: progress.Steps) -> None:
        self._bar, self._lock = bar, threading.Lock()

    def advance(self) -> None:
        """One more is done."""
        with self._lock:
            self._bar.advance()


def work_off(source: Source, environments: Sequence[Mapping[str, str]], step: Callable[[], None]) -> None:
    """Do the jobs of a source in workers, and end all of these when one fails or the program is interrupted.

    Args:
        source: where jobs come from.
        environments: variables of each worker's environment, beside those of this process.
        step: called for every step that a job reports, from any thread.

    Raises:
        InputError, RuntimeError: as for `run_all`.
    """
    workers = [_Worker(environment) for environment in environments]
    try:
        with ThreadPoolExecutor(max_workers=max(1, len(workers))) as pool:
            futures = [pool.submit(worker.work_off, source, step) for worker in workers]
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                source.stop()
                for worker in workers:
                    worker.kill()
                raise
    finally:
        for worker in workers:
            worker.close()


class _Worker:
    """A Python that does one job after another, and what it says meanwhile; it is started with the first of them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None
        self._errors: list[str] = []
        self._lock, self._killed = threading.Lock(), False

    def _started(self) -> subprocess.Popen[str]:
        with self._lock:
            if self._killed:
                raise RuntimeError("no job is begun after another one has failed")
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "unsee.system.workers"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    env={**os.environ, **self._environment},
                )
                threading.Thread(target=self._drain, args=(self._process,), daemon=True).start()
            return self._process

    def _drain(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr
        self._errors.extend(process.stderr)

    def work_off(self, source: Source, step: Callable[[], None]) -> None:
        """Do jobs until there is none."""
        while (job := source.take()) is not None:
            self._do(job, step)
            source.finish(job)

    def _do(self, job: Job, step: Callable[[], None]) -> None:
        process = self._started()
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(json.dumps({"function": job.function, "arguments": job.arguments}) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass  # the worker is dead, which the end of its output tells below
        for line in process.stdout:
            word, _, rest = line.rstrip("\n").partition(" ")
            if word == _STEP:
                step()
            elif word == _WRONG:
                raise InputError(json.loads(rest))
            elif word == _DONE:
                return
        code = process.wait()
        raise RuntimeError(f"{job.function} failed with exit code {code}:\n{''.join(self._errors)}")

    def kill(self) -> None:
        """End it at once, whatever it does."""
        with self._lock:
            self._killed = True
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """No more jobs; wait for the worker to go."""
        if self._process is None:
            return
        assert self._process.stdin
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(_GOES_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def perform(job: Job) -> str | None:
    """Do a job in this process; what is wrong with its input, if anything is."""
    module, _, name = job.function.partition(":")
    try:
        getattr(importlib.import_module(module), name)(**job.arguments)
    except InputError as error:
        return str(error)
    return None


def _end_with(parent: int) -> None:
    """End this worker when the program that started it was killed: nobody would take what it makes."""
    while os.getppid() == parent:
        time.sleep(_LOOKS_EVERY)
    os._exit(1)


def _work() -> None:
    """What a worker does: a job a line from standard input, until there are no more."""
    out, sys.stdout = sys.stdout, sys.stderr  # nothing that a library prints may be taken for a message

    def say(*words: str) -> None:
        print(*words, file=out, flush=True)

    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    progress.report_steps(lambda: say(_STEP))
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    for line in sys.stdin:
        wrong = perform(Job(**json.loads(line)))
        say(_DONE) if wrong is None else say(_WRONG, json.dumps(wrong))


if __name__ == "__main__":
    _work()
