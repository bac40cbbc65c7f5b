"""A command that is started where another one is at work is refused in one line, and does not disturb it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Stranger
from tests.cli.test_wrong_input import Scene
from tests.commandline import call, files_of
from tests.system.test_lock import FORK, another_process
from unsee.system.lock import NAME, locked, reserved

COMMANDS: dict[str, list[object]] = {
    "demo person": ["demo", "person", "--people", 10],
    "demo hallucination": ["demo", "hallucination"],
    "bench": ["bench", "--methods", "npo", "--seeds", "1", "--people", 10],
    "mine": ["mine", "--model", "{stranger}/llava", "--images", "{stranger}/photos", "--scorer", "{stranger}/llava"],
    "unlearn": ["unlearn", "--model", "{stranger}/llava", "--forget", "{stranger}/forget.jsonl", "--method", "idk"],
}


def check(outcome: Any, number: int) -> None:
    """One line that names the process."""
    assert (outcome.code, outcome.out) == (2, ""), outcome
    assert len(outcome.err.splitlines()) == 1
    assert f"process {number} on" in outcome.err


@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_in_which_another_process_works_is_refused(stranger: Stranger, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    given = [word.format(stranger=stranger.folder) if isinstance(word, str) else word for word in COMMANDS[name]]
    with another_process(locked, out, out / NAME) as number:
        check(call(*given, "--out", out), number)
        assert files_of(tmp_path).keys() == {f"out/{NAME}"}


def test_a_folder_that_another_process_is_writing_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with another_process(reserved, out, tmp_path / f".out{NAME}") as number:
        check(call("world", "export", "--layout", "mllmu", "--people", 10, "--out", out), number)
        assert files_of(tmp_path).keys() == {f".out{NAME}"}
    assert call("world", "export", "--layout", "mllmu", "--people", 10, "--out", out).code == 0
    with another_process(reserved, tmp_path / "data", tmp_path / f".data{NAME}") as number:
        check(call("benchmark", "write", "mllmu", out, "--out", tmp_path / "data"), number)
    assert not (tmp_path / "data").exists()


def run(arguments: list[str]) -> None:
    import torch

    torch.set_num_threads(1)
    raise SystemExit(call(*arguments).code)


def small(stranger: Stranger, folder: Path) -> Scene:
    folder.mkdir(exist_ok=True)
    return Scene(stranger, folder).add("--set", "save_steps=2", "--set", "max_steps=6", "--no-report")


@pytest.fixture(scope="module")
def undisturbed(stranger: Stranger, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The weights of a run beside which no other one was started."""
    scene = small(stranger, tmp_path_factory.mktemp("alone"))
    assert call(*scene.arguments).code == 0
    return (scene.out / "model" / "model.safetensors").read_bytes()


@pytest.mark.parametrize("when", [NAME, "checkpoints/checkpoint-2"])
def test_the_same_out_with_another_seed_while_the_first_is_at_work(
    stranger: Stranger, undisturbed: bytes, tmp_path: Path, when: str
) -> None:
    scene = small(stranger, tmp_path)
    first = FORK.Process(target=run, args=([str(one) for one in scene.arguments],))
    first.start()
    while not (scene.out / when).exists():
        assert first.is_alive()
        time.sleep(0.005)
    assert first.pid is not None
    check(call(*scene.arguments), first.pid)
    other = call(*scene.arguments, "--set", "seed=5")
    assert (other.code, len(other.err.splitlines())) == (2, 1)
    assert "in use by process" in other.err or "holds another run" in other.err
    first.join()
    assert first.exitcode == 0
    assert yaml.safe_load((scene.out / "run.yaml").read_text())["settings"]["seed"] == 0
    assert (scene.out / "model" / "model.safetensors").read_bytes() == undisturbed
    assert not (scene.out / NAME).exists()
