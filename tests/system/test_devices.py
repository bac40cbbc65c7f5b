"""One worker for each accelerator, which sees that one alone; one thread where there is none."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from unsee.system import devices, workers
from unsee.system.devices import environments
from unsee.system.executors import Local
from unsee.system.workers import ONE_THREAD, Job


def machine(monkeypatch: pytest.MonkeyPatch, kind: str, count: int, cores: int = 8, hip: str | None = None) -> None:
    """A machine that has so many accelerators of a kind."""
    found = torch.device(kind) if count else None
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available=False: found)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: count)
    monkeypatch.setattr(torch.version, "hip", hip)
    monkeypatch.setattr(devices, "cores", lambda: cores)
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ZE_AFFINITY_MASK", "ASCEND_RT_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)


def test_without_an_accelerator_there_is_one_thread_for_each_core(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, "cuda", 0)
    assert environments() == [ONE_THREAD] * 8
    assert environments(3) == [ONE_THREAD] * 3


def test_each_worker_sees_one_gpu_and_has_its_share_of_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, "cuda", 2)
    threads = {"OMP_NUM_THREADS": "4", "MKL_NUM_THREADS": "4"}
    assert environments() == [{**threads, "CUDA_VISIBLE_DEVICES": name} for name in ("0", "1")]
    assert [found["CUDA_VISIBLE_DEVICES"] for found in environments(1)] == ["0"]
    assert [found["CUDA_VISIBLE_DEVICES"] for found in environments(4)] == ["0", "1", "0", "1"]
    assert {found["OMP_NUM_THREADS"] for found in environments(16)} == {"1"}


@pytest.mark.parametrize(
    ("kind", "hip", "given", "expected"),
    [
        ("cuda", None, {"CUDA_VISIBLE_DEVICES": "3, 5"}, {"CUDA_VISIBLE_DEVICES": ["3", "5"]}),
        ("cuda", None, {"CUDA_VISIBLE_DEVICES": "GPU-8f,MIG-2a"}, {"CUDA_VISIBLE_DEVICES": ["GPU-8f", "MIG-2a"]}),
        ("cuda", None, {"CUDA_VISIBLE_DEVICES": "1,2,-1,3"}, {"CUDA_VISIBLE_DEVICES": ["1", "2"]}),  # -1 ends the list
        ("cuda", "7.1", {}, {"HIP_VISIBLE_DEVICES": ["0", "1"]}),
        ("cuda", "7.1", {"CUDA_VISIBLE_DEVICES": "4,6"}, {"CUDA_VISIBLE_DEVICES": ["4", "6"]}),
        ("xpu", None, {}, {"ZE_AFFINITY_MASK": ["0", "1"]}),
    ],
)
def test_of_the_gpus_that_the_program_was_given(
    monkeypatch: pytest.MonkeyPatch, kind: str, hip: str | None, given: dict[str, str], expected: dict[str, list[str]]
) -> None:
    machine(monkeypatch, kind, 2, hip=hip)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    ((variable, names),) = expected.items()
    assert devices.accelerators() == [{variable: name} for name in names]


def test_an_accelerator_that_comes_alone_needs_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, "mps", 1)
    assert devices.accelerators() == [{}]


def look(file: str, wait_for: str) -> None:
    """A job that writes what its process sees, once the other one is there: both are then at work at once."""
    Path(file).write_text(json.dumps({"pid": os.getpid(), "gpu": os.environ.get("CUDA_VISIBLE_DEVICES")}))
    for _ in range(1200):
        if Path(wait_for).exists():
            return
        time.sleep(0.05)
    raise TimeoutError("the other job was not begun")


def test_jobs_reach_processes_that_see_different_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine(monkeypatch, "cuda", 2)
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")]))
    files = [str(tmp_path / name) for name in ("a", "b")]
    jobs = [
        Job("tests.system.test_devices:look", {"file": one, "wait_for": other}) for one, other in (files, files[::-1])
    ]
    Local().run(jobs, "looking", len(jobs))
    seen: list[dict[str, Any]] = [json.loads(Path(file).read_text()) for file in files]
    assert {found["gpu"] for found in seen} == {"0", "1"}
    assert len({found["pid"] for found in seen}) == 2


def spread(file: str) -> None:
    """A job that writes on how many accelerators it could work, and where a weight goes."""
    where = torch.accelerator.current_accelerator(check_available=True)
    used = torch.ones(1, device=where).device.type
    Path(file).write_text(json.dumps({"count": torch.accelerator.device_count(), "type": used}))


@pytest.mark.skipif(torch.accelerator.device_count() < 2, reason="needs a machine with two accelerators")
def test_on_real_gpus_each_worker_has_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")]))
    jobs = [Job("tests.system.test_devices:spread", {"file": str(tmp_path / str(n))}) for n in range(4)]
    Local().run(jobs, "spreading", len(jobs))
    found = [json.loads((tmp_path / str(n)).read_text()) for n in range(4)]
    assert {one["count"] for one in found} == {1}
    assert {one["type"] for one in found} != {"cpu"}


def test_a_batch_system_limits_the_cores_that_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {4, 5, 6}, raising=False)
    assert workers.cores() == 3
