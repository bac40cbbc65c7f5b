"""Clusters that cannot be had are one line; tasks that die are begun again, but not for ever. Without Ray itself."""

from __future__ import annotations

import importlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.commandline import call
from unsee.errors import InputError
from unsee.system import ray_cluster, ray_nodes
from unsee.system.executors import chosen
from unsee.system.ray_cluster import TRIES, OnRay
from unsee.system.workers import Job


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "is_installed", lambda: True)


@contextmanager
def listening() -> Iterator[int]:
    """A port where somebody answers, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def refused(out: Path, address: str) -> str:
    """What is said of an address, in one line and soon."""
    importlib.import_module("unsee.leaderboard.output")  # takes its time where it was not imported yet
    started = time.monotonic()
    outcome = call("bench", "--out", out, "--methods", "npo", "--people", 10, "--ray", address)
    assert (outcome.code, outcome.out, len(outcome.err.splitlines())) == (2, "", 1), outcome.err
    assert time.monotonic() - started < 30
    assert not out.exists()
    return outcome.err


def test_an_address_that_nobody_answers_is_one_line_and_soon(tmp_path: Path) -> None:
    with listening() as port:
        pass
    assert f"--ray 127.0.0.1:{port}: nobody answers there (Connection refused)" in refused(
        tmp_path / "x", f"127.0.0.1:{port}"
    )
    assert "nobody answers there" in refused(tmp_path / "x", "127.0.0.1:99999")


def test_an_address_where_something_else_answers_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_nodes, "JOINED_WITHIN", 1.0)
    with listening() as port:
        said = refused(tmp_path / "x", f"127.0.0.1:{port}")
    assert "not a Ray cluster that this machine has joined" in said


@pytest.mark.parametrize("address", ["ray://head:10001", "head", "local", ":6379", "head:", "head:port", "a b:1"])
def test_an_address_that_cannot_be_one_is_one_line(tmp_path: Path, address: str) -> None:
    assert f"--ray {address!r}: give HOST:PORT" in refused(tmp_path / "x", address)


def test_without_ray_it_is_told_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "is_installed", lambda: False)
    assert "pip install 'unsee[ray]'" in refused(tmp_path / "x", "head:6379")


def test_a_cluster_and_shards_are_not_for_the_same_bench() -> None:
    with pytest.raises(InputError, match="--ray with --shard"):
        chosen(shard="1/2", ray="auto")


def node_with(monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, str], dict[str, str]], None]) -> None:
    """A cluster of two nodes, the second of which has something else at the paths, or another version."""

    def looks(address: str, paths: list[str]) -> Iterator[tuple[str, dict[str, str], dict[str, str]]]:
        yield "first", *ray_nodes.look(paths)
        there, versions = ray_nodes.look(paths)
        change(there, versions)
        yield "second", there, versions

    monkeypatch.setattr(ray_nodes, "has", lambda needed: True)
    monkeypatch.setattr(ray_nodes, "_looks", looks)


def test_a_node_that_does_not_see_the_folder_or_sees_another_of_its_name_is_told_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lock = tmp_path / ".lock"
    lock.write_text("a process")
    node_with(monkeypatch, lambda there, versions: None)
    ray_nodes.check_nodes("head:1", [lock, tmp_path])
    for seen in ("", "another"):
        node_with(monkeypatch, lambda there, versions, seen=seen: there.update({str(lock): seen}))  # type: ignore[misc]
        with pytest.raises(InputError, match=rf"node second does not see {tmp_path} of this machine; it has to lie on"):
            ray_nodes.check_nodes("head:1", [lock, tmp_path])
    lock.write_text("another process")
    assert ray_nodes.look([str(lock)]) != ray_nodes.look([str(tmp_path)])


def test_a_node_with_other_versions_is_told_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    node_with(monkeypatch, lambda there, versions: versions.update(torch="1.0"))
    with pytest.raises(InputError, match=r"node second has torch 1\.0, and this machine 2\."):
        ray_nodes.check_nodes("head:1", [tmp_path])


class DiedError(Exception):
    """As Ray tells of a process or node that is no more."""


class BrokenError(DiedError):
    """As Ray tells of a task that raised."""


class Cluster:
    """As much of Ray as jobs need: each task does what the next of `outcomes` says when it is asked for."""

    exceptions = SimpleNamespace(RayError=DiedError, RayTaskError=BrokenError)

    def __init__(self, outcomes: list[Any], gpus: int = 0) -> None:
        self.outcomes, self.begun, self.cancelled = outcomes, list[str](), list[Any]()
        self.resources: dict[str, float] = {"CPU": 2, "GPU": gpus}
        self.options: dict[str, Any] = {}

    def cluster_resources(self) -> dict[str, float]:
        return self.resources

    def remote(self, **options: Any) -> Callable[..., Any]:
        self.options = options
        return lambda function: SimpleNamespace(remote=self.begin)

    def begin(self, job: str, place: str) -> str:
        self.begun.append(json.loads(job)["function"])
        return f"{self.begun[-1]} {len(self.begun)}"

    def wait(self, tasks: list[str], timeout: float) -> tuple[list[str], list[str]]:
        return tasks[:1], tasks[1:]

    def get(self, task: str) -> Any:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def cancel(self, task: str, force: bool) -> None:
        self.cancelled.append(task)


def carry_out(monkeypatch: pytest.MonkeyPatch, folder: Path, cluster: Cluster, jobs: int = 2) -> None:
    """Run jobs "0", "1", ..., whose outcomes are there."""
    for module in (ray_cluster, ray_nodes):
        monkeypatch.setattr(module, "library", lambda: cluster)
    made = [Job(str(number), {}, str(folder / str(number))) for number in range(jobs)]
    for job in made:
        Path(job.outcome).touch()
    executor = OnRay("head:1")
    executor._folder = folder
    executor.run(made, "counting", len(made))


def test_what_dies_is_begun_again_and_others_are_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cluster = Cluster([DiedError("node"), None, None])
    carry_out(monkeypatch, tmp_path, cluster)
    assert cluster.begun == ["0", "1", "0"]
    assert cluster.options["num_cpus"] == 1
    assert "num_gpus" not in cluster.options
    assert cluster.options["runtime_env"]["env_vars"]["OMP_NUM_THREADS"] == "1"


def test_where_there_are_gpus_a_cell_has_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cluster = Cluster([None, None], gpus=4)
    carry_out(monkeypatch, tmp_path, cluster)
    assert cluster.options["num_gpus"] == 1


def test_what_dies_every_time_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cluster = Cluster([DiedError("out of memory")] * 9)
    with pytest.raises(RuntimeError, match=rf"0 was begun {TRIES} times, and never ended: out of memory"):
        carry_out(monkeypatch, tmp_path, cluster, 1)
    assert cluster.begun == ["0"] * TRIES


@pytest.mark.parametrize(
    ("outcome", "error", "said"),
    [
        ("methods: the code has changed", InputError, "^methods: the code has changed$"),
        (BrokenError("Traceback\nZeroDivisionError"), RuntimeError, "ZeroDivisionError"),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
    ],
)
def test_when_one_fails_the_others_are_cancelled(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, outcome: Any, error: type[BaseException], said: str | None
) -> None:
    cluster = Cluster([outcome])
    with pytest.raises(error, match=said):
        carry_out(monkeypatch, tmp_path, cluster, 3)
    assert cluster.cancelled == ["1 2", "2 3"]


def test_an_outcome_that_is_not_here_was_written_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Path, "touch", lambda self: None)
    with pytest.raises(InputError, match=r"a node has written .*, which is not here"):
        carry_out(monkeypatch, tmp_path, Cluster([None]), 1)


def test_when_all_nodes_are_gone_the_wait_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ray_cluster, "GIVEN_UP", 0.05)
    cluster = Cluster([])

    def nobody(tasks: list[str], timeout: float) -> tuple[list[str], list[str]]:
        cluster.resources = {}
        time.sleep(0.01)
        return [], tasks

    monkeypatch.setattr(cluster, "wait", nobody)
    with pytest.raises(InputError, match="no node has been left for"):
        carry_out(monkeypatch, tmp_path, cluster)
    assert cluster.cancelled == ["0 1", "1 2"]


@pytest.mark.parametrize("died", [True, False])
def test_a_node_that_dies_while_it_is_asked_is_passed_over(monkeypatch: pytest.MonkeyPatch, died: bool) -> None:
    """And one that lives, and cannot do what it is asked, is told of."""

    class Losing(Cluster):
        looked = 0

        def nodes(self) -> list[dict[str, Any]]:
            self.looked += 1
            names = ["first"] if died and self.looked > 2 else ["first", "second"]
            return [{"NodeID": name, "NodeManagerHostname": name, "Alive": True} for name in names]

        def remote(self, **options: Any) -> Callable[..., Any]:
            task = SimpleNamespace(remote=lambda paths: "look")
            return lambda function: SimpleNamespace(options=lambda **_: task)

        def get(self, task: str, timeout: float = 0) -> Any:
            return super().get(task)

    cluster = Losing([ray_nodes.look([]), DiedError("unschedulable")])
    strategies = SimpleNamespace(NodeAffinitySchedulingStrategy=lambda node, soft: node)
    monkeypatch.setattr(ray_nodes, "library", lambda: cluster)
    monkeypatch.setattr(importlib, "import_module", lambda name: strategies)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    if died:
        ray_nodes.check_nodes("head:1", [])
    else:
        with pytest.raises(InputError, match="node second cannot do a small task"):
            ray_nodes.check_nodes("head:1", [])
