"""Joining a Ray cluster, and whether its nodes are fit for what is to be done: one line for whatever is wrong."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import logging
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unsee.errors import InputError
from unsee.system.lock import NAME
from unsee.system.workers import ONE_THREAD

ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")
ANSWERS_WITHIN = 5.0  # seconds for a machine to take a connection
JOINED_WITHIN = 60.0  # seconds for a cluster to let a program in, and for a node to do a small task
_SEEN_AFTER = 20  # seconds within which a cluster sees that a node has died
_SMALL = 2**20  # bytes of a file of which more than its being there is compared
_SAME = ("unsee", "torch", "transformers", "numpy")  # of which every node has the same version
_TOLD = ("HF_", "TRANSFORMERS_", "XDG_CACHE_HOME")  # variables that processes of nodes are told, by how they begin


def is_installed() -> bool:
    """Whether Ray can be imported, which takes a while."""
    return importlib.util.find_spec("ray") is not None


def library() -> Any:
    """Ray itself, which is large and is not always installed."""
    return importlib.import_module("ray")


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Within: this process is a driver of the cluster.

    Raises:
        InputError: nobody answers there, or not as a cluster does that this machine has joined.
    """
    _check_answer(address)
    _try_out(address)
    _join(address)
    try:
        yield
    finally:
        library().shutdown()


def _check_answer(address: str) -> None:
    """InputError where there is no connection to be had: Ray would try for minutes."""
    if match := ADDRESS.fullmatch(address):
        try:
            socket.create_connection((match["host"].strip("[]"), int(match["port"])), ANSWERS_WITHIN).close()
        except (OSError, OverflowError) as error:
            raise InputError(
                f"--ray {address}: nobody answers there ({getattr(error, 'strerror', None) or error}); give HOST:PORT "
                "as `ray start --head` prints it"
            ) from None


def _try_out(address: str) -> None:
    """InputError unless another process can join: where it cannot, Ray is loud, and ends the process that tried."""
    command = [sys.executable, "-m", "unsee.system.ray_nodes", address]
    why = f"no answer within {JOINED_WITHIN:.0f} seconds"
    try:
        joined = subprocess.run(command, capture_output=True, text=True, check=False, timeout=JOINED_WITHIN)
    except subprocess.TimeoutExpired:
        pass
    else:
        if joined.returncode == 0:
            return
        why = _last_line(joined.stderr)
    raise InputError(
        f"--ray {address}: not a Ray cluster that this machine has joined ({why}); run `ray start --address=HOST:PORT` "
        "here first"
    )


def _join(address: str) -> None:
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # without it Ray warns of what it will do one day
    # Of nodes that die Ray tells at length on stdout, whatever it is asked; its own debugger silences it like this.
    printing: Any = importlib.import_module("ray._private.worker")
    printing._worker_logs_enabled = False
    library().init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)


def _last_line(error: object) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip()[:160] if lines else type(error).__name__


def task(function: Callable[..., Any], **options: Any) -> Any:
    """A function as Ray calls it: on one thread, and not again when it fails."""
    told = {name: value for name, value in os.environ.items() if name.startswith(_TOLD)}
    return library().remote(max_retries=0, runtime_env={"env_vars": {**told, **ONE_THREAD}}, **options)(function)


def has(needed: Mapping[str, float]) -> bool:
    """Whether the nodes that are there now have what a task takes, such as `num_cpus`."""
    there = library().cluster_resources()
    return all(there.get(name.removeprefix("num_").removesuffix("s").upper(), 0) >= n for name, n in needed.items())


def check_nodes(address: str, paths: Sequence[Path]) -> None:
    """See that every node has the same paths as this machine, and the same versions of what is computed with.

    Args:
        address: of the cluster, for messages.
        paths: files, which have to hold the same, and folders.

    Raises:
        InputError: some node has not, or cannot do a small task.
    """
    if not has({"num_cpus": 1}):
        raise InputError(f"--ray {address}: no node has a core for tasks; start one with `ray start --num-cpus`")
    here, versions = look([str(path) for path in paths])
    for name, there, others in _looks(address, [str(path) for path in paths]):
        for path, found in there.items():
            if found != here[path]:
                shown = Path(path).parent if Path(path).name == NAME else path
                raise InputError(
                    f"--ray {address}: node {name} does not see {shown} of this machine; it has to lie on storage that "
                    "all nodes share (XDG_CACHE_HOME moves the cache of worlds)"
                )
        for package, version in versions.items():
            if others.get(package) != version:
                raise InputError(
                    f"--ray {address}: node {name} has {package} {others.get(package)}, and this machine {version}; "
                    "install the same everywhere"
                )


def _looks(address: str, paths: list[str]) -> Iterator[tuple[str, dict[str, str], dict[str, str]]]:
    """The name of every node, and what `look` returns there."""
    ray, strategies = library(), importlib.import_module("ray.util.scheduling_strategies")
    looking = task(look, num_cpus=0)
    places = [(node, strategies.NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)) for node in ray.nodes()]
    begun = [
        (node, looking.options(scheduling_strategy=place).remote(paths)) for node, place in places if node["Alive"]
    ]
    for node, result in begun:
        name = node["NodeManagerHostname"]
        try:
            yield name, *ray.get(result, timeout=JOINED_WITHIN)
        except ray.exceptions.RayError as error:  # a time-out is one of them
            if _has_died(node["NodeID"]):  # others will do what it was to do
                continue
            raise InputError(
                f"--ray {address}: node {name} cannot do a small task ({_last_line(error)}); every node needs what is "
                "installed here, see `pip install 'unsee[ray]'`"
            ) from None


def _has_died(node: str) -> bool:
    """Whether a node is gone, or is soon known to be."""
    for _ in range(_SEEN_AFTER):
        if node not in [other["NodeID"] for other in library().nodes() if other["Alive"]]:
            return True
        time.sleep(1)
    return False


def look(paths: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """What is at some paths: nothing, a folder, or a digest of a file; and versions of what is computed with."""
    there = {}
    for path in paths:
        if os.path.isfile(path) and os.path.getsize(path) < _SMALL:
            there[path] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        else:
            there[path] = "there" if os.path.exists(path) else ""
    return there, _versions()


def _versions() -> dict[str, str]:
    python = {"Python": ".".join(map(str, sys.version_info[:2]))}
    return python | {name: importlib.metadata.version(name) for name in _SAME}


if __name__ == "__main__":
    _join(sys.argv[1])
