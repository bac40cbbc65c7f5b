"""Trained cells come to the same bits in one process, in shards of which one dies, on a cluster that loses a node."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.commandline import files_of
from tests.leaderboard.test_ray import cluster  # noqa: F401  (a fixture)
from tests.system.test_lock import FORK
from unsee.leaderboard import board, select
from unsee.leaderboard.board import bench
from unsee.leaderboard.cells import CellScores
from unsee.leaderboard.plan_file import read_plan
from unsee.leaderboard.planned import on_plan
from unsee.system.executors import Executor, Local
from unsee.system.lock import CLAIMS, Holder
from unsee.system.ray_cluster import OnRay
from unsee.system.ray_nodes import is_installed
from unsee.system.shards import Sharded, Share

pytestmark = pytest.mark.slow
METHODS = ["npo", "mmunlearner", "npo+lora"]
SECONDS = [name for name in CellScores.model_fields if name.endswith("_seconds")]


def cells(out: Path) -> dict[str, Any]:
    """Every file of the cells, and their scores without the time that was taken."""
    found: dict[str, Any] = {f"{path}": content for path, content in files_of(out / "cells").items()}
    for name, content in found.items():
        if name.endswith("scores.json"):
            found[name] = {key: value for key, value in json.loads(content).items() if key not in SECONDS}
    return found


@pytest.fixture
def run(written_plan: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, Executor], None]:
    """Carries out a plan on a model from nothing, which nobody would take for fit."""
    path = written_plan(methods=METHODS, budget=1, seeds=[0], settings={"learning_rate": 1e-3, "max_steps": 6})
    monkeypatch.setattr(board, "check_bases", lambda plan: None)
    monkeypatch.setattr(select, "distance", lambda *_: 0.0)

    def carry_out(out: Path, executor: Executor) -> None:
        bench(on_plan(read_plan(path), out), executor)

    return carry_out


@pytest.fixture
def alone(run: Callable[[Path, Executor], None], tmp_path: Path) -> dict[str, Any]:
    """The cells of one process."""
    run(tmp_path / "alone", Local(1))
    return cells(tmp_path / "alone")


def within_a_cell(out: Path) -> None:
    """Until a cell of a method has been begun, and is not done."""
    for _ in range(30000):
        for begun in out.glob("cells/*/*/*/settings.json"):
            if begun.parents[1].name in METHODS and not (begun.parent / "scores.json").exists():
                return
        time.sleep(0.01)
    raise TimeoutError("no cell was begun")


def owners(claims: Path) -> Sequence[int]:
    """Processes that hold the claim of a cell."""
    return [holder.owner.pid for path in claims.glob("[!s]*") if (holder := Holder.read(path))]


def test_two_shards_of_which_one_is_killed_within_a_cell(
    run: Callable[[Path, Executor], None], tmp_path: Path, alone: dict[str, Any]
) -> None:
    out = tmp_path / "out"
    processes = [FORK.Process(target=run, args=(out, Sharded(Share(number, 2), workers=1))) for number in (1, 2)]
    for process in processes:
        process.start()
    within_a_cell(out)
    victim = owners(out / CLAIMS)[0]
    os.kill(victim, signal.SIGKILL)
    for process in processes:
        process.join(900)
    assert sorted((process.exitcode, process.pid == victim) for process in processes) == [(-9, True), (0, False)]
    assert cells(out) == alone
    assert not (out / CLAIMS).exists()


@pytest.mark.skipif(not is_installed(), reason="needs Ray: pip install 'unsee[ray]'")
def test_a_cluster_of_two_nodes_of_which_one_dies(
    run: Callable[[Path, Executor], None],
    tmp_path: Path,
    alone: dict[str, Any],
    cluster: Any,  # noqa: F811
) -> None:
    def end_second_node() -> None:
        within_a_cell(tmp_path / "out")
        cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)

    ending = threading.Thread(target=end_second_node)
    ending.start()
    run(tmp_path / "out", OnRay(cluster.address))
    ending.join()
    assert cells(tmp_path / "out") == alone
