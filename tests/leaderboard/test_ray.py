"""A bench on a Ray cluster of two nodes comes to what it comes to in one process, also where a node dies."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commandline import files_of
from tests.leaderboard.test_shards import held
from unsee.leaderboard.board import Outcome
from unsee.system.ray_cluster import OnRay
from unsee.system.ray_nodes import is_installed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_installed(), reason="needs Ray: pip install 'unsee[ray]'"),
]

Bench = Callable[..., Outcome]
OPTIONS: dict[str, Any] = {"methods": ("npo", "grad_diff"), "budget": 3}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two nodes of one core each; the second one may be taken away."""
    size: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    made = importlib.import_module("ray.cluster_utils").Cluster(initialize_head=True, head_node_args=size)
    made.add_node(**size)
    yield made
    made.shutdown()


def raylet(cluster: Any) -> int:
    """The process of the second node that starts its workers."""
    (node,) = cluster.worker_nodes
    return int(node.all_processes["raylet"][0].process.pid)


def test_cells_are_those_of_one_process_though_a_node_dies(
    scripted_bench: Bench, tmp_path: Path, cluster: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    scripted_bench(tmp_path / "alone", **OPTIONS)
    (tmp_path / "hold").write_text(str(raylet(cluster)))

    def end_second_node() -> None:
        held(tmp_path)
        cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)

    ending = threading.Thread(target=end_second_node)
    ending.start()
    capfd.readouterr()
    scripted_bench(tmp_path / "out", executor=OnRay(cluster.address), **OPTIONS)
    ending.join()
    assert capfd.readouterr() == ("", "")
    expected, done = ({n: c for n, c in files_of(tmp_path / x).items() if n != "log"} for x in ("alone", "out"))
    assert done == expected
    log = (tmp_path / "out" / "log").read_text().split()
    assert len(log) == len(set(log))
