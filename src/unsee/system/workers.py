"""Independent pieces of work side by side, each in a Python of its own on one thread.

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
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from unsee.errors import InputError
from unsee.system import progress

# What a worker says, a line each: a step is done, the job is done, the job's input is wrong (and how).
_LOOKS_EVERY = 0.5  # seconds from one look at whether the program still lives to the next
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


def run_all(jobs: Sequence[Job], description: str, steps: int, done: int = 0, workers: int | None = None) -> None:
    """Run jobs, as many at a time as there are cores, under one progress bar.

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
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    bar, lock = progress.Steps(description, steps, done), threading.Lock()

    def step() -> None:
        with lock:
            bar.advance()

    started = [_Worker() for _ in range(min(len(jobs), workers or os.cpu_count() or 1))]
    try:
        with ThreadPoolExecutor(max_workers=max(1, len(started))) as pool:
            futures = [pool.submit(worker.work_off, waiting, step) for worker in started]
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                for worker in started:
                    worker.process.kill()
                raise
    finally:
        bar.close()
        for worker in started:
            worker.close()


class _Worker:
    """A Python that does one job after another, and what it says meanwhile."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "unsee.system.workers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        )
        self.errors: list[str] = []
        threading.Thread(target=self._drain, daemon=True).start()

    def _drain(self) -> None:
        assert self.process.stderr
        self.errors.extend(self.process.stderr)

    def work_off(self, waiting: queue.SimpleQueue[Job], step: Callable[[], None]) -> None:
        """Do jobs until none is waiting."""
        while True:
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                return
            self._do(job, step)

    def _do(self, job: Job, step: Callable[[], None]) -> None:
        assert self.process.stdin
        assert self.process.stdout
        try:
            self.process.stdin.write(json.dumps({"function": job.function, "arguments": job.arguments}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the worker is dead, which the end of its output tells below
        for line in self.process.stdout:
            word, _, rest = line.rstrip("\n").partition(" ")
            if word == _STEP:
                step()
            elif word == _WRONG:
                raise InputError(json.loads(rest))
            elif word == _DONE:
                return
        code = self.process.wait()
        raise RuntimeError(f"{job.function} failed with exit code {code}:\n{''.join(self.errors)}")

    def close(self) -> None:
        """No more jobs; wait for the worker to go."""
        assert self.process.stdin
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()


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

    torch.set_num_threads(1)
    for line in sys.stdin:
        job = json.loads(line)
        module, _, name = job["function"].partition(":")
        try:
            getattr(importlib.import_module(module), name)(**job["arguments"])
        except InputError as error:
            say(_WRONG, json.dumps(str(error)))
        else:
            say(_DONE)


if __name__ == "__main__":
    _work()
