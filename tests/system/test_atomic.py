"""Files and folders are whole at every moment, whoever else writes them, and whoever is killed while writing."""

from __future__ import annotations

import ast
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from unsee.errors import InputError
from unsee.system.atomic import is_unfinished, remove_unfinished, whole_file, whole_folder
from unsee.system.files import write_json
from unsee.system.owner import Owner
from unsee.training.saliency import SaliencyMask
from unsee.vlm.stored import read_tensors, write_tensors

FORK = multiprocessing.get_context("fork")
TIMES = {"mask": 100, "tensors": 25, "json": 25}
SIZE = 4096


def of_a_dead_writer(path: Path) -> Path:
    """What a process that is no more would have called what it was writing."""
    gone = FORK.Process(target=os.getpid)
    gone.start()
    gone.join()
    here = Owner.this()
    return path.with_name(f".{path.name}.{here.machine}-{gone.pid}-{here.started}-0123abcd.tmp")


def save_mask(path: Path, value: int) -> None:
    SaliencyMask.from_masks({"w": torch.full((SIZE,), bool(value))}).save(path)


def load_mask(path: Path) -> None:
    assert len({*SaliencyMask.load(path).mask("w").tolist()}) == 1


def save_tensors(path: Path, value: int) -> None:
    write_tensors(path, {"w": torch.full((SIZE,), value)}, "key")


def load_tensors(path: Path) -> None:
    found = read_tensors(path, "key")
    assert found is not None
    assert len({*found["w"].tolist()}) == 1


def save_json(path: Path, value: int) -> None:
    write_json(path, [value] * SIZE)


def load_json(path: Path) -> None:
    assert len({*json.loads(path.read_text())}) == 1


WAYS = {"mask": (save_mask, load_mask), "tensors": (save_tensors, load_tensors), "json": (save_json, load_json)}


def again_and_again(way: str, path: Path, value: int) -> None:
    torch.set_num_threads(1)
    for _ in range(TIMES[way]):
        WAYS[way][0](path, value)


@pytest.mark.parametrize("way", WAYS)
def test_two_processes_may_save_one_file_and_it_is_whole_at_every_moment(tmp_path: Path, way: str) -> None:
    (save, load), path = WAYS[way], tmp_path / "file"
    save(path, 0)
    writers = [FORK.Process(target=again_and_again, args=(way, path, value)) for value in (0, 1)]
    for writer in writers:
        writer.start()
    looks = 0
    while any(writer.is_alive() for writer in writers):
        load(path)
        looks += 1
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert looks > 3
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def two_at_once(out: Path) -> None:
    with whole_folder(out) as first:
        (first / "a").write_text("first")
        with whole_folder(out) as second:
            (second / "a").write_text("second")
            assert not out.exists()
            assert first != second


def test_a_folder_appears_when_it_is_whole_and_one_of_two_writers_gets_the_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="out exists already"):
        two_at_once(tmp_path / "out")
    assert (tmp_path / "out" / "a").read_text() == "second"
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


def test_an_empty_folder_may_be_there_before(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "out") as temporary:
        (tmp_path / "out").mkdir()
        (temporary / "a").write_text("x")
    assert (tmp_path / "out" / "a").read_text() == "x"


def broken_off(whole: Callable[[Path], Any], path: Path, error: BaseException) -> None:
    with whole(path) as temporary:
        (temporary / "b" if temporary.is_dir() else temporary).write_text("x")
        raise error


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
def test_nothing_is_left_of_what_failed(tmp_path: Path, whole: Callable[[Path], Any]) -> None:
    with pytest.raises(KeyboardInterrupt):
        broken_off(whole, tmp_path / "a", KeyboardInterrupt())
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
def test_a_full_disk_is_one_line_and_another_library_s_complaint_is_not_taken_for_one(
    tmp_path: Path, whole: Callable[[Path], Any]
) -> None:
    with pytest.raises(InputError, match=r"cannot write .*model: No space left on device; name a place"):
        broken_off(whole, tmp_path / "model", OSError(28, "No space left on device"))
    with pytest.raises(OSError, match=r"no file named config\.json"):
        broken_off(whole, tmp_path / "model", OSError("no file named config.json"))
    assert not [*tmp_path.iterdir()]


def half(folder: Path, whole: Callable[[Path], Any]) -> None:
    with whole(folder / "a") as temporary:
        (temporary / "b" if temporary.is_dir() else temporary).write_text("x")
        time.sleep(600)


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
def test_what_a_killed_writer_left_is_removed_and_what_a_living_one_writes_is_not(
    tmp_path: Path, whole: Callable[[Path], Any]
) -> None:
    folder = tmp_path / "deep"
    dead, living = (FORK.Process(target=half, args=(folder, whole)) for _ in range(2))
    for writer in (dead, living):
        writer.start()
    while folder.is_dir() is False or len([*folder.iterdir()]) < 2:
        time.sleep(0.01)
    assert dead.pid is not None
    os.kill(dead.pid, signal.SIGKILL)
    try:
        os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)  # a zombie, whose end nobody has asked about
        assert not (folder / "a").exists()
        remove_unfinished(tmp_path)
        (left,) = folder.iterdir()
        assert f"-{living.pid}-" in left.name
    finally:
        for writer in (dead, living):
            writer.kill()
            writer.join()
    remove_unfinished(tmp_path)
    assert not [*folder.iterdir()]


def test_nothing_else_is_removed(tmp_path: Path) -> None:
    kept = {"a.tmp", ".a.tmp", f".a.{'0g' * 16}.tmp", "a.jsonl", ".a.0123abcd-1-2.tmp"}
    for name in kept:
        (tmp_path / name).write_text("x")
    of_a_dead_writer(tmp_path / "b").write_text("x")
    remove_unfinished(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == kept
    remove_unfinished(tmp_path / "none")


def test_of_another_machine_s_only_what_is_a_day_old_is_removed(tmp_path: Path) -> None:
    old, new = (tmp_path / f".{name}.ffffffff-1-1-0123abcd.tmp" for name in ("old", "new"))
    for path in (old, new):
        path.write_text("x")
        assert is_unfinished(path)
    os.utime(old, (time.time() - 25 * 3600,) * 2)
    remove_unfinished(tmp_path)
    assert [*tmp_path.iterdir()] == [new]


def test_a_number_that_was_given_again_is_another_process(tmp_path: Path) -> None:
    here = Owner.this()
    assert here.is_alive()
    assert Owner(here.machine, here.pid, here.started - 3600).is_alive() is False
    assert Owner("ffffffff", here.pid, here.started).is_alive() is None


def test_a_clock_that_is_put_right_makes_nobody_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    here, boot = Owner.this(), psutil.boot_time()
    for module in (psutil, psutil._psplatform):
        monkeypatch.setattr(module, "boot_time", lambda: boot + 90)  # which the clock tells, less the time since
    assert here.is_alive()
    assert Owner.this() == here


def test_no_module_writes_under_a_fixed_name_or_in_place() -> None:
    """Everything goes through `unsee.system.atomic`; a second writer under one name would take the first one's away."""
    source = Path(__file__).parents[2] / "src" / "unsee"
    found = []
    for path in sorted(source.rglob("*.py")):
        if path.name in ("atomic.py", "files.py"):
            continue
        tree = ast.parse(path.read_text())
        constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        found += [f"{path.name}: {value!r}" for value in constants if _is_fixed_name(value)]
        found += [f"{path.name}:{call.lineno}" for call in calls if _writes_in_place(call)]
    assert not found


def _is_fixed_name(value: object) -> bool:
    return isinstance(value, str) and value.endswith((".partial", ".tmp"))


def _writes_in_place(node: ast.Call) -> bool:
    """A method `write_text` or `write_bytes`, or `open` for writing; those of `unsee.system.files` have no object."""
    if isinstance(node.func, ast.Attribute) and node.func.attr in ("write_text", "write_bytes"):
        return True
    opens = getattr(node.func, "id", getattr(node.func, "attr", "")) == "open"
    modes = [one.value for one in [*node.args, *(key.value for key in node.keywords)] if isinstance(one, ast.Constant)]
    return opens and any(isinstance(mode, str) and set(mode) & set("wxa") and len(mode) <= 3 for mode in modes)
