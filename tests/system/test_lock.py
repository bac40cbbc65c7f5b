"""One process at a time in a folder, whatever becomes of the one before."""

from __future__ import annotations

import errno
import fcntl
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tests.system.test_atomic import of_a_dead_writer
from unsee.errors import InputError
from unsee.system import lock
from unsee.system.lock import NAME, Holder, in_turn, is_free, locked, reserved

FORK = multiprocessing.get_context("fork")


def hold(how: Callable[[Path], Any], path: Path) -> None:
    with how(path):
        time.sleep(600)


@contextmanager
def another_process(how: Callable[[Path], Any], path: Path, file: Path) -> Iterator[int]:
    """A process that holds a lock; its number."""
    process = FORK.Process(target=hold, args=(how, path))
    process.start()
    while Holder.read(file) is None:
        time.sleep(0.005)
    assert process.pid is not None
    try:
        yield process.pid
    finally:
        process.kill()
        process.join()


def enter(how: Callable[[Path], Any], path: Path) -> None:
    with how(path):
        pass


def test_a_second_process_is_told_who_is_at_work_and_since_when(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    with (
        another_process(locked, out, out / NAME) as number,
        pytest.raises(InputError, match=rf"in use by process {number} on \S+ \(.*\) since 20..-..-.. ..:..:..; wait"),
    ):
        enter(locked, out)


def test_a_folder_that_is_being_written_is_not_written_twice(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with (
        another_process(reserved, out, tmp_path / f".out{NAME}") as number,
        pytest.raises(InputError, match=rf"out is being written by process {number} on"),
    ):
        enter(reserved, out)
    assert not out.exists()


@pytest.mark.parametrize("has_flock", [True, False])
def test_the_lock_of_a_killed_process_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_flock: bool
) -> None:
    if not has_flock:
        monkeypatch.setattr(fcntl, "flock", no_locks_here)
    out = tmp_path / "out"
    with another_process(locked, out, out / NAME) as number:
        with pytest.raises(InputError, match=f"process {number} "):
            enter(locked, out)
        os.kill(number, signal.SIGKILL)
        os.waitid(os.P_PID, number, os.WEXITED | os.WNOWAIT)
        left = of_a_dead_writer(out / "run.yaml")
        left.write_text("half")
        assert is_free(out)
        with locked(out):
            assert not left.exists()
            found = Holder.read(out / NAME)
            assert found is not None
            assert found.owner.pid == os.getpid()


def no_locks_here(*_: Any) -> None:
    raise OSError(errno.ENOSYS, "Function not implemented")


def test_nothing_is_left_when_it_is_over(tmp_path: Path) -> None:
    with locked(tmp_path / "a" / "b"), reserved(tmp_path / "c"), in_turn([tmp_path / "d" / "e"]):
        pass
    assert not [*tmp_path.iterdir()]
    with locked(tmp_path / "a"):
        (tmp_path / "a" / "file").write_text("x")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file"]


@pytest.mark.parametrize(("age", "taken"), [(5, False), (lock.GONE + 5, True)])
def test_a_process_of_another_machine_is_given_up_after_a_minute_of_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: float, taken: bool
) -> None:
    monkeypatch.setattr(fcntl, "flock", no_locks_here)
    me = Holder.this()
    there = replace(me, owner=replace(me.owner, machine="ffffffff"), host="elsewhere")
    (tmp_path / NAME).write_text(json.dumps(asdict(there)))
    os.utime(tmp_path / NAME, (time.time() - age,) * 2)
    if taken:
        enter(locked, tmp_path)
        return
    with pytest.raises(InputError, match=r"on elsewhere .*last heard of \d+ s ago, given up after 60 s"):
        enter(locked, tmp_path)


def test_a_process_at_work_gives_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "HEARTBEAT", 0.01)
    with locked(tmp_path):
        os.utime(tmp_path / NAME, (0, 0))
        until = time.monotonic() + 10
        while not (tmp_path / NAME).stat().st_mtime and time.monotonic() < until:
            time.sleep(0.01)
        assert time.time() - (tmp_path / NAME).stat().st_mtime < 60


def test_a_lock_file_that_says_nothing_holds_nobody_up(tmp_path: Path) -> None:
    for content in ("", "[]", '{"owner": 3}', "\0"):
        (tmp_path / NAME).write_text(content)
        enter(locked, tmp_path)
    assert not [*tmp_path.iterdir()]


def take_turns(path: Path, log: Path, times: int) -> None:
    for _ in range(times):
        with in_turn([path]):
            for word in ("in", "out"):
                with log.open("a") as file:
                    file.write(f"{os.getpid()} {word}\n")
                time.sleep(0.001)


def test_processes_that_wait_for_each_other_are_never_in_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds, sleep=time.sleep: sleep(min(seconds, 0.01)))
    others = [FORK.Process(target=take_turns, args=(tmp_path / "model", tmp_path / "log", 10)) for _ in range(3)]
    for process in others:
        process.start()
    for process in others:
        process.join()
        assert process.exitcode == 0
    lines = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    assert len(lines) == 3 * 10 * 2
    assert all(a[0] == b[0] and (a[1], b[1]) == ("in", "out") for a, b in zip(lines[::2], lines[1::2], strict=True))
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
    said = capfd.readouterr().err.splitlines()
    assert all(line.startswith("unsee: waiting for ") for line in said)
