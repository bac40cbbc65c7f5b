"""A shard that waits can be interrupted, and what it holds is free then."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.system.test_lock import FORK
from unsee.system import shards
from unsee.system.claims import Claims, is_listed
from unsee.system.lock import CLAIMS
from unsee.system.shards import Sharded, Share
from unsee.system.workers import Job


def wait_for_another(folder: Path) -> None:
    executor = Sharded(Share(1, 2), workers=2)
    with executor.at_work(folder, {}):
        (folder / "begun").touch()
        executor.run([Job("never:run", {}, str(folder / name)) for name in ("a", "b")], "waiting", 2)


def test_an_interrupted_shard_ends_at_once_and_lets_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards._Claimed, "_key", lambda self, job: Path(job.outcome).name)
    with Claims(tmp_path / CLAIMS) as other:
        assert other.claim("a")
        assert other.claim("b")
        process = FORK.Process(target=wait_for_another, args=(tmp_path,))
        process.start()
        while not (tmp_path / "begun").exists():
            assert process.is_alive()
            time.sleep(0.01)
        time.sleep(0.3)
        assert process.pid
        os.kill(process.pid, signal.SIGINT)
        process.join(30)
        assert process.exitcode == 1
        assert sorted(path.name for path in (tmp_path / CLAIMS).iterdir()) == ["a.1", "b.1"]


def test_only_what_lists_show_is_there(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert not is_listed(tmp_path / "a" / "b" / "c", tmp_path)
    (tmp_path / "a" / "b" / "c").touch()
    assert is_listed(tmp_path / "a" / "b" / "c", tmp_path)
    assert not is_listed(tmp_path / "x" / "y", tmp_path)
