"""Processes wait for each other in the same places, whatever their rows are made of: no training hangs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests import tiny
from tests.system.test_processes import free_port
from tests.training import lockstep
from unsee.methods import METHODS
from unsee.types import PARTS

QUICK = (
    "npo-projector",
    "mmunlearner-projector",
    "rmu-language",
    "npo-projector-accumulated",
    "dpo-vision-lora",
)
EVERY = [f"{method}-{part}{way}" for method, part, way in product(METHODS, PARTS, ("", "-lora"))]


def in_two_processes(folder: Path, cases: list[str], seconds: float) -> str:
    """Run cases side by side; where they hang, both are ended and the case is named."""
    tiny.save(tiny.llava(), folder / "model")
    given = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "ACCELERATE_USE_CPU": "true"}
    given |= {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    logs, errors = ([folder / f"{name}.{rank}" for rank in range(2)] for name in ("cases", "errors"))
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.training.lockstep", str(folder), *cases],
            stdout=log.open("w"), stderr=error.open("w"), env={**given, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank, (log, error) in enumerate(zip(logs, errors, strict=True))
    ]  # fmt: skip
    deadline = time.monotonic() + seconds
    try:
        codes = [process.wait(max(0.1, deadline - time.monotonic())) for process in started]
    except subprocess.TimeoutExpired:
        return "hung in " + " and ".join((log.read_text().split() or ["nothing"])[-1] for log in logs)
    finally:
        for process in started:
            process.kill()
            process.wait()
    return "ended" if codes == [0, 0] else "\n".join(error.read_text()[-3000:] for error in errors)


def assert_lockstep(folder: Path, cases: list[str], seconds: float) -> None:
    """The processes end, with the same weights, which are those of one process at the same effective batch."""
    assert in_two_processes(folder, cases, seconds) == "ended"
    for case in cases:
        one = lockstep.train(case, folder, batch_size=2)
        two, other = (load_file(folder / f"{case}.{rank}.safetensors") for rank in range(2))
        assert two.keys() == other.keys() == one.keys()
        for name, expected in one.items():
            assert torch.equal(two[name], other[name]), f"{case}: the processes differ at {name}"
            torch.testing.assert_close(two[name], expected, rtol=0, atol=2e-5, msg=f"{case}: {name}")


def test_processes_with_and_without_pictures_never_wait_for_each_other(tmp_path: Path) -> None:
    assert_lockstep(tmp_path, list(QUICK), 240)
    stopped = [(tmp_path / f"cases.{rank}").read_text().splitlines()[len(QUICK) :] for rank in range(2)]
    assert stopped == [
        ["one_sided: a loss is not finite in another process at step 2"],
        ["one_sided: forget loss is nan at step 2"],
    ]


@pytest.mark.slow
def test_no_method_on_any_part_hangs_in_two_processes(tmp_path: Path) -> None:
    assert_lockstep(tmp_path, EVERY, 1500)
