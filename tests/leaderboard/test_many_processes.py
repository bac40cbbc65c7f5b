"""Real cells come to the same bits in one process, in shards of which one is killed, on a cluster that loses a node."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commandline import files_of, succeed
from tests.leaderboard.test_ray import cluster  # noqa: F401  (a fixture)
from unsee.leaderboard.cells import CellScores
from unsee.system.lock import CLAIMS, Holder
from unsee.system.ray_nodes import is_installed

pytestmark = [pytest.mark.slow, pytest.mark.world]

GIVEN = ["--methods", "npo,mmunlearner", "--budget", 1, "--seeds", 0, "--people", 10]
SECONDS = [name for name in CellScores.model_fields if name.endswith("_seconds")]


def cells(out: Path) -> dict[str, Any]:
    """Every file of the cells, and their scores without the time that was taken."""
    found: dict[str, Any] = dict(files_of(out / "cells"))
    assert not [name for name in found if name.endswith(".tmp")]
    for name, content in found.items():
        if name.endswith("scores.json"):
            found[name] = {key: value for key, value in json.loads(content).items() if key not in SECONDS}
    return found


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The cells of one process."""
    out = tmp_path_factory.mktemp("alone") / "out"
    succeed("bench", "--out", out, *GIVEN, "--workers", 1)
    return cells(out)


def within_a_cell(out: Path) -> Path:
    """The folder of a method's cell that has been begun, and is not done."""
    for _ in range(12000):
        for begun in out.glob("cells/*/*/*/settings.json"):
            if begun.parents[1].name in ("npo", "mmunlearner") and not (begun.parent / "scores.json").exists():
                return begun.parent
        time.sleep(0.01)
    raise TimeoutError("no cell was begun")


def shards(out: Path) -> Iterator[subprocess.Popen[str]]:
    for number in (1, 2):
        command = ["bench", "--out", out, *GIVEN, "--workers", 1, "--shard", f"{number}/2", "--json"]
        yield subprocess.Popen(
            [sys.executable, "-m", "unsee", *map(str, command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def test_two_shards_of_which_one_is_killed_within_a_cell(tmp_path: Path, alone: dict[str, Any]) -> None:
    out = tmp_path / "out"
    processes = list(shards(out))
    within_a_cell(out)
    claimed = [holder for path in (out / CLAIMS).glob("[!s]*") if (holder := Holder.read(path))]
    victim = claimed[0].owner.pid
    os.kill(victim, signal.SIGKILL)
    for process in processes:
        said, complaint = process.communicate(timeout=600)
        if process.pid != victim:
            assert (process.returncode, json.loads(said)["rows"] != []) == (0, True), complaint
    assert victim in [process.pid for process in processes]
    assert cells(out) == alone
    assert not (out / CLAIMS).exists()


@pytest.mark.skipif(not is_installed(), reason="needs Ray: pip install 'unsee[ray]'")
def test_a_cluster_of_two_nodes_of_which_one_dies(
    tmp_path: Path,
    alone: dict[str, Any],
    cluster: Any,  # noqa: F811
) -> None:
    def end_second_node() -> None:
        within_a_cell(tmp_path / "out")
        cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)

    ending = threading.Thread(target=end_second_node)
    ending.start()
    succeed("bench", "--out", tmp_path / "out", *GIVEN, "--ray", cluster.address)
    ending.join()
    assert cells(tmp_path / "out") == alone
