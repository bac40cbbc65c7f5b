"""A claim has one owner at any time, whoever dies, sleeps, or has a clock that is wrong."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from unsee.system import claims
from unsee.system.claims import Claims
from unsee.system.lock import GONE, Holder, silence

FORK = multiprocessing.get_context("fork")
KEYS = [f"job-{number}" for number in range(20)]


def elsewhere(path: Path, silent: float) -> None:
    """A claim of a process of another machine, which was last heard of so many seconds ago."""
    me = Holder.this()
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(asdict(replace(me, owner=replace(me.owner, machine="ffffffff"), host="elsewhere"))))
    os.utime(path, (time.time() - silent,) * 2)


def of_the_dead(folder: Path, keys: list[str]) -> None:
    """Claims of a process of this machine that was killed."""
    process = FORK.Process(target=hold, args=(folder, keys))
    process.start()
    while not all(Holder.read(folder / f"{key}.1") for key in keys):  # there, and written
        time.sleep(0.005)
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.join()


def hold(folder: Path, keys: list[str]) -> None:
    for key in keys:
        assert Claims(folder).claim(key)
    time.sleep(600)


class Slow(Claims):
    """Takes its time between a look and a claim, so that all have looked before the first one claims."""

    def _generations(self) -> dict[str, int]:
        found = super()._generations()
        time.sleep(0.02)
        return found


def claim_all(folder: Path, start: Any, won: Any) -> None:
    """Claim everything, each at the same time as the others do, and stay until all have tried."""
    mine, keys = Slow(folder), list[str]()
    for key in KEYS:
        start.wait(60)
        if mine.claim(key):
            keys.append(key)
    won.put(keys)
    start.wait(60)


def race(folder: Path, racers: int = 8) -> Counter[str]:
    """How often each key was claimed by so many processes at once."""
    start, won = FORK.Barrier(racers), FORK.Queue()
    processes = [FORK.Process(target=claim_all, args=(folder, start, won)) for _ in range(racers)]
    for process in processes:
        process.start()
    counted = Counter(key for _ in processes for key in won.get(timeout=60))
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    return counted


def test_of_eight_that_claim_the_same_each_wins_what_no_other_does(tmp_path: Path) -> None:
    assert race(tmp_path / "claims") == Counter(KEYS)


def test_of_eight_that_take_over_from_the_dead_one_wins(tmp_path: Path) -> None:
    of_the_dead(tmp_path / "claims", KEYS)
    assert race(tmp_path / "claims") == Counter(KEYS)


def test_of_eight_that_take_over_from_the_silent_one_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "WATCHED", -1.0)
    monkeypatch.setattr(claims.Claims, "_is_silent", lambda self, path: silence(path) >= GONE)
    for key in KEYS:
        elsewhere(tmp_path / "claims" / f"{key}.1", GONE + 5)
    assert race(tmp_path / "claims") == Counter(KEYS)


def test_nobody_else_claims_what_is_held_and_everybody_may_what_was_released(tmp_path: Path) -> None:
    one, other = Claims(tmp_path / "claims"), Claims(tmp_path / "claims")
    assert one.claim("a")
    assert not other.claim("a")
    assert [key for key, _ in other.living()] == ["a"]
    assert not list(one.living())
    one.release("a")
    assert other.claim("a")


def test_a_claim_of_another_machine_is_kept_while_it_is_touched(tmp_path: Path) -> None:
    elsewhere(tmp_path / "claims" / "a.1", GONE - 5)
    assert not Claims(tmp_path / "claims").claim("a")


def test_a_silent_one_is_looked_at_for_a_while_before_it_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # After a file system was away for minutes all seem silent to whoever looks first.
    monkeypatch.setattr(claims, "WATCHED", 0.3)
    elsewhere(tmp_path / "claims" / "a.1", GONE + 5)
    mine = Claims(tmp_path / "claims")
    assert not mine.claim("a")
    time.sleep(0.35)
    os.utime(tmp_path / "claims" / "a.1", (time.time() - GONE - 3,) * 2)  # a sign of life, in between
    assert not mine.claim("a")
    time.sleep(0.35)
    assert mine.claim("a")


def test_clocks_of_machines_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere(tmp_path / "claims" / "a.1", 1)
    before = time.time()
    for wrong in (before + 7200, before - 7200):
        monkeypatch.setattr(time, "time", lambda wrong=wrong: wrong)
        assert not Claims(tmp_path / "claims").claim("a")
        assert [key for key, _ in Claims(tmp_path / "claims").living()] == ["a"]


def test_claims_are_touched_while_they_are_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "HEARTBEAT", 0.02)
    with Claims(tmp_path / "claims") as mine:
        mine.claim("a")
        file = tmp_path / "claims" / "a.1"
        os.utime(file, (0, 0))
        for _ in range(500):
            if file.stat().st_mtime > 0:
                break
            time.sleep(0.01)
        assert silence(file) < GONE
    assert not (tmp_path / "claims").exists()


def test_one_that_was_paused_for_long_breaks_nothing_of_who_followed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "WATCHED", 0.0)
    paused, follower, third = (Claims(tmp_path / "claims") for _ in range(3))
    assert paused.claim("a")
    os.utime(tmp_path / "claims" / "a.1", (time.time() - GONE - 5,) * 2)
    assert not follower.claim("a")
    assert follower.claim("a")
    paused.release("a")
    assert not third.claim("a")
    follower.release("a")
    assert third.claim("a")


def test_half_a_claim_is_one_until_it_has_been_silent_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "WATCHED", 0.0)
    half, mine = tmp_path / "claims" / "a.1", Claims(tmp_path / "claims")
    half.parent.mkdir()
    half.write_text("")
    assert not mine.claim("a")
    os.utime(half, (time.time() - GONE - 5,) * 2)
    assert not mine.claim("a")
    assert mine.claim("a")
