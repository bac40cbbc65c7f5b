"""Two processes that work together as `accelerate launch` would start them, ended and named when they hang."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.system.test_processes import free_port


def environment_of_two() -> dict[str, str]:
    """What both processes find in their environment, beside RANK and LOCAL_RANK."""
    given = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "ACCELERATE_USE_CPU": "true"}
    return given | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}


def in_two_processes(
    module: str, folder: Path, cases: Sequence[str], seconds: float, more: Mapping[str, str] | None = None
) -> str:
    """Run `python -m MODULE FOLDER CASE...` twice, side by side.

    Each prints a case before it begins with it, to `cases.RANK` in the folder; `more` is for their environment.

    Returns:
        "ended" when both did as they should; else in which case they hung, or what they said on stderr.
    """
    given = environment_of_two() | dict(more or {})
    logs, errors = ([folder / f"{name}.{rank}" for rank in range(2)] for name in ("cases", "errors"))
    started = [
        subprocess.Popen(
            [sys.executable, "-m", module, str(folder), *cases],
            stdout=log.open("w"), stderr=error.open("w"), env={**given, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank, (log, error) in enumerate(zip(logs, errors, strict=True))
    ]  # fmt: skip
    deadline = time.monotonic() + seconds
    try:
        codes = [process.wait(max(0.1, deadline - time.monotonic())) for process in started]
    except subprocess.TimeoutExpired:
        return "hung in " + " and ".join((log.read_text().splitlines() or ["nothing"])[-1] for log in logs)
    finally:
        for process in started:
            process.kill()
            process.wait()
    return "ended" if codes == [0, 0] else "\n".join(error.read_text()[-3000:] for error in errors)
