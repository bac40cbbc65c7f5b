"""Workers do what they are told, and end with whoever told them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from unsee.errors import InputError
from unsee.system.workers import Job, run_all

ROOT = Path(__file__).parents[2]

PROGRAM = """
from unsee.system.workers import Job, run_all
run_all([Job("tests.system.test_workers:rest", {"mark": %r})], "resting", 1)
"""


def rest(mark: str) -> None:
    """A job that takes long, and says that it has begun."""
    Path(mark).write_text(str(os.getpid()))
    time.sleep(600)


def wrong(mark: str) -> None:
    """A job whose input is wrong, once another one has begun."""
    wait_for(Path(mark))
    raise InputError("rows: none; give some")


def wait_for(mark: Path) -> int:
    """The process that left a mark."""
    for _ in range(6000):
        if mark.is_file() and (text := mark.read_text()):
            return int(text)
        time.sleep(0.01)
    raise TimeoutError(mark)


@contextmanager
def resting(mark: Path) -> Iterator[tuple[subprocess.Popen[bytes], psutil.Process]]:
    """A program whose worker is within a job, and that worker."""
    program = subprocess.Popen([sys.executable, "-c", PROGRAM % str(mark)], env=environment(), stderr=subprocess.PIPE)
    try:
        yield program, psutil.Process(wait_for(mark))
    finally:
        program.kill()
        program.communicate()


def environment() -> dict[str, str]:
    """Under which workers find the jobs of these tests."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


def gone(process: psutil.Process) -> bool:
    """Whether a process ends soon, and is no zombie."""
    psutil.wait_procs([process], timeout=30)
    return not process.is_running()


def test_a_worker_ends_when_the_program_that_started_it_is_killed(tmp_path: Path) -> None:
    with resting(tmp_path / "mark") as (program, worker):
        program.kill()
        program.wait()
        assert gone(worker)


def test_an_interrupted_program_ends_at_once_and_its_workers_with_it(tmp_path: Path) -> None:
    with resting(tmp_path / "mark") as (program, worker):
        program.send_signal(signal.SIGINT)  # to it alone, as `kill -INT` does
        program.wait(30)
        assert gone(worker)


def test_when_a_job_fails_no_other_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = tmp_path / "mark"
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    jobs = [Job(f"tests.system.test_workers:{name}", {"mark": str(mark)}) for name in ("rest", "wrong")]
    with pytest.raises(InputError, match="rows: none; give some"):
        run_all(jobs, "resting", 2, workers=2)
    assert not psutil.pid_exists(wait_for(mark))
