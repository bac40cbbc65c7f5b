"""Workers do what they are told, and end with whoever told them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

PROGRAM = """
from unsee.system.workers import Job, run_all
run_all([Job("tests.system.test_workers:rest", {"mark": %r})], "resting", 1)
"""


def rest(mark: str) -> None:
    """A job that takes long, and says that it has begun."""
    Path(mark).write_text(str(os.getpid()))
    time.sleep(600)


def test_a_worker_ends_when_the_program_that_started_it_is_killed(tmp_path: Path) -> None:
    mark, root = tmp_path / "mark", Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])}
    program = subprocess.Popen([sys.executable, "-c", PROGRAM % str(mark)], env=environment)
    while not (mark.is_file() and mark.read_text()):
        assert program.poll() is None
        time.sleep(0.02)
    worker = psutil.Process(int(mark.read_text()))
    program.kill()
    program.wait()
    psutil.wait_procs([worker], timeout=30)
    assert not worker.is_running()
