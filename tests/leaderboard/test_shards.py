"""Shards of a bench: together they do what one program does, whoever of them dies."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from tests.commandline import call, files_of
from tests.system.test_lock import FORK, another_process
from unsee.errors import InputError
from unsee.leaderboard import output, planned_work
from unsee.leaderboard.board import Outcome
from unsee.leaderboard.planned import Planned
from unsee.system import patience, shards
from unsee.system.lock import CLAIMS, NAME, locked
from unsee.system.shards import Sharded, Share
from unsee.system.workers import Job, Source, perform

Bench = Callable[..., Outcome]
OPTIONS: dict[str, Any] = {"methods": ("npo", "grad_diff"), "budget": 3}


def here(source: Source, environments: Sequence[Mapping[str, str]], step: Callable[[], None]) -> None:
    """Works jobs off in this process, which is quicker than starting another Python."""
    while (job := source.take()) is not None:
        assert perform(job) is None
        source.finish(job)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "work_off", here)
    monkeypatch.setattr(shards, "LOOKS_EVERY", 0.02)


def carry_out(run: Bench, out: Path, share: Share) -> None:
    """What a shard does, in a process of its own."""
    with suppress(BaseException):
        output.write(run(out, executor=Sharded(share), **OPTIONS))
        os._exit(0)
    sys.excepthook(*sys.exc_info())
    os._exit(1)


@contextmanager
def started(run: Bench, out: Path, *numbers: int) -> Iterator[list[BaseProcess]]:
    """Shards that are at work."""
    processes = [FORK.Process(target=carry_out, args=(run, out, Share(number, len(numbers)))) for number in numbers]
    for process in processes:
        process.start()
    try:
        yield list(processes)
    finally:
        for process in processes:
            process.kill()
            process.join()


def held(folder: Path) -> int:
    """The process that is within a cell, of which it has written a half."""
    for _ in range(6000):
        for path in folder.glob("held-*"):
            return int(path.name.removeprefix("held-"))
        time.sleep(0.01)
    raise TimeoutError("nobody does the cell that is held")


def told(out: Path) -> dict[str, bytes]:
    """Every file of a bench, by name, but for the script's own."""
    return {name: content for name, content in files_of(out).items() if name != "log"}


@pytest.fixture
def alone(scripted_bench: Bench, tmp_path: Path) -> dict[str, bytes]:
    """The files of one program that does everything."""
    output.write(scripted_bench(tmp_path / "alone", **OPTIONS))
    return told(tmp_path / "alone")


def test_shards_leave_what_one_program_leaves_and_do_no_cell_twice(
    scripted_bench: Bench, tmp_path: Path, alone: dict[str, bytes]
) -> None:
    out = tmp_path / "out"
    with started(scripted_bench, out, 1, 2, 3) as processes:
        for process in processes:
            process.join(60)
            assert process.exitcode == 0
    log = (out / "log").read_text().split()
    assert len(log) == len(set(log)) == len([name for name in alone if name.endswith("scores.json")])
    assert told(out) == alone


def test_a_shard_that_is_killed_within_a_cell_is_followed_by_the_other(
    scripted_bench: Bench, tmp_path: Path, alone: dict[str, bytes]
) -> None:
    out = tmp_path / "out"
    (tmp_path / "hold").touch()
    with started(scripted_bench, out, 1, 2) as processes:
        victim = held(tmp_path)
        os.kill(victim, signal.SIGKILL)
        for process in processes:
            process.join(60)
        assert [process.exitcode for process in processes if process.pid != victim] == [0]
    assert told(out) == alone


def test_when_all_are_killed_the_same_command_goes_on(
    scripted_bench: Bench, tmp_path: Path, alone: dict[str, bytes]
) -> None:
    out = tmp_path / "out"
    (tmp_path / "hold").touch()
    with started(scripted_bench, out, 1):
        held(tmp_path)
    done = (out / "log").read_text().split()
    output.write(scripted_bench(out, executor=Sharded(Share(2, 2)), **OPTIONS))
    assert (out / "log").read_text().split()[: len(done)] == done
    assert told(out) == alone


def test_one_that_shares_nothing_is_refused_while_shards_are_at_work_and_they_beside_it(
    scripted_bench: Bench, tmp_path: Path, alone: dict[str, bytes]
) -> None:
    out = tmp_path / "out"
    (tmp_path / "hold").touch()
    with started(scripted_bench, out, 1):
        number = held(tmp_path)
        with pytest.raises(
            InputError, match=rf"is in use by a shard, process {number} on .*; wait until all of them end"
        ):
            scripted_bench(out, **OPTIONS)
        with pytest.raises(
            InputError, match=rf"by a shard that does something else, process {number} on .*same command"
        ):
            scripted_bench(out, executor=Sharded(Share(2, 2)), methods=("npo",))
        assert not (out / NAME).exists()
    with (
        another_process(locked, out, out / NAME) as number,
        pytest.raises(InputError, match=rf"is in use by process {number} on .*, which is no shard"),
    ):
        scripted_bench(out, executor=Sharded(Share(2, 2)), **OPTIONS)
    output.write(scripted_bench(out, **OPTIONS))  # both are dead: all that they held is taken away
    assert not (out / CLAIMS).exists()
    assert told(out) == alone


def test_base_and_gold_of_a_plan_are_made_by_one_shard_each(
    planned_bench: Bench, written_plan: Callable[..., Path], models: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    def make_model(plan: str, name: str) -> None:
        folder = Path(plan).parent / name
        with (tmp_path / "made").open("a") as log:
            log.write(f"{name}\n")
        time.sleep(0.3)
        shutil.copytree(models / name, folder / "model")
        (folder / "scores.json").touch()

    monkeypatch.setattr(planned_work, "make_model", make_model)
    plan = written_plan(model="a model that knows nobody", base=None, gold=None, seeds=[0])
    monkeypatch.setattr(Planned, "check", lambda self, seeds: None)

    def run(out: Path, executor: Sharded, **_: Any) -> Outcome:
        return planned_bench(plan, out, executor)

    with started(run, tmp_path / "out", 1, 2) as processes:
        for process in processes:
            process.join(120)
            assert process.exitcode == 0
    assert sorted((tmp_path / "made").read_text().split()) == ["base", "gold"]


def test_what_is_wrong_with_a_cell_is_told_and_left_to_others(scripted_bench: Bench, tmp_path: Path) -> None:
    def broken(source: Source, environments: Any, step: Any) -> None:
        assert source.take()
        raise InputError("methods: the code has changed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "work_off", broken)
        with pytest.raises(InputError, match="the code has changed"):
            scripted_bench(tmp_path, executor=Sharded(Share(1, 2)), **OPTIONS)
    assert not (tmp_path / CLAIMS).exists()


def test_who_waits_says_for_whom(
    scripted_bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(patience, "PATIENCE", 0.1)
    (tmp_path / "hold").touch()
    with started(scripted_bench, tmp_path / "out", 1, 2):
        number, said = held(tmp_path), ""
        for _ in range(2000):
            said += capfd.readouterr().err
            if said:
                break
            time.sleep(0.01)
    assert f"unsee: waiting: one of its cells is being done by process {number} on" in said


@pytest.mark.parametrize("given", ["3/2", "0/2", "x", "1/0", "1", "/2", "-1/2", "1/2/3", "٣/٤"])
def test_a_shard_that_cannot_be_is_one_line(tmp_path: Path, given: str) -> None:
    outcome = call("bench", "--out", tmp_path / "x", "--shard", given)
    assert (outcome.code, outcome.out, len(outcome.err.splitlines())) == (2, "", 1)
    assert f"--shard {given!r}: " in outcome.err
    assert "1/2" in outcome.err or "3/8" in outcome.err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(("number", "of", "expected"), [(1, 3, "0361425"), (2, 3, "1425036"), (1, 1, "0123456")])
def test_the_own_share_comes_first_and_then_those_of_the_following(number: int, of: int, expected: str) -> None:
    jobs = [Job(str(place), {}) for place in range(7)]
    assert "".join(job.function for job in Share(number, of).order(jobs)) == expected
