"""Independent pieces of work side by side, each in a Python of its own on one thread.

One thread a piece, because floating-point sums depend on how they are split: with one, the outcome is the same on a
laptop and on a server. Plain subprocesses rather than `multiprocessing`, because that would import the caller's main
script again and force a guard into it.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from unsee import progress
from unsee.errors import InputError

_STEP = "step"  # what a worker prints for each step that it has done
_WRONG_INPUT = 2  # exit code of a worker that met an InputError


@dataclass(frozen=True)
class Job:
    """A function of this package, and arguments that JSON can carry."""

    function: str  # "package.module:name"
    arguments: dict[str, Any]


def run_all(jobs: Sequence[Job], description: str, steps: int) -> None:
    """Run jobs, as many at a time as there are cores, under one progress bar.

    Args:
        jobs: what is to be done; they leave their outcome in files.
        description: for the bar.
        steps: how many steps all jobs together will report through `unsee.progress.Steps`.

    Raises:
        InputError: as the first job that failed raised it.
        RuntimeError: with the worker's own traceback, when a job failed otherwise.
    """
    bar, lock = progress.Steps(description, steps), threading.Lock()
    running: list[subprocess.Popen[str]] = []

    def step() -> None:
        with lock:
            bar.advance()

    with ThreadPoolExecutor(max_workers=min(len(jobs), os.cpu_count() or 1)) as pool:
        futures = [pool.submit(_run, job, step, running) for job in jobs]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            for future in futures:
                future.cancel()
            for process in running:
                process.kill()
            raise
        finally:
            bar.close()


def _run(job: Job, step: Any, running: list[subprocess.Popen[str]]) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "unsee.parallel"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    running.append(process)
    assert process.stdin and process.stdout and process.stderr
    errors: list[str] = []
    drain = threading.Thread(target=lambda stream=process.stderr: errors.extend(stream), daemon=True)
    drain.start()
    process.stdin.write(json.dumps({"function": job.function, "arguments": job.arguments}))
    process.stdin.close()
    for line in process.stdout:
        if line.strip() == _STEP:
            step()
    code = process.wait()
    drain.join()
    if code == _WRONG_INPUT:
        raise InputError(errors[-1])
    if code:
        raise RuntimeError(f"{job.function} failed with exit code {code}:\n{''.join(errors)}")


def _work() -> int:
    """What a worker does: one job from standard input."""
    job = json.load(sys.stdin)
    steps, sys.stdout = sys.stdout, sys.stderr  # nothing that a library prints may be taken for a step
    progress.report_steps(lambda: print(_STEP, file=steps, flush=True))
    import torch

    torch.set_num_threads(1)
    module, _, name = job["function"].partition(":")
    try:
        getattr(importlib.import_module(module), name)(**job["arguments"])
    except InputError as error:
        print(error, file=sys.stderr)
        return _WRONG_INPUT
    return 0


if __name__ == "__main__":
    sys.exit(_work())
