"""Methods that edit the weights after training, or train nothing: runs like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.cli.conftest import Stranger
from tests.commandline import succeed

SHORT = ("learning_rate=1e-3", "epochs=1", "max_new_tokens=4")


def run(stranger: Stranger, out: Path, method: str, *more: str) -> dict[str, Any]:
    given = ["--model", stranger / "llava", "--method", method, "--out", out, *more]
    given += ["--forget", stranger / "forget.jsonl", "--retain", stranger / "retain.jsonl"]
    for setting in SHORT:
        given += ["--set", setting]
    found: dict[str, Any] = succeed("unlearn", *given, "--json").json
    return found


def test_a_run_without_steps_is_whole(stranger: Stranger, tmp_path: Path) -> None:
    found = run(stranger, tmp_path / "out", "random_noise", "--set", "norm=0.5")
    assert (found["steps"], found["curve"]) == (0, [])
    before = load_file(stranger / "llava" / "model.safetensors")
    after = load_file(tmp_path / "out" / "model" / "model.safetensors")
    moved = sum(float((after[name] - before[name]).double().square().sum()) for name in before) ** 0.5
    assert moved == pytest.approx(0.5, rel=1e-3)
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000


def test_what_is_saved_is_what_was_finished(stranger: Stranger, tmp_path: Path) -> None:
    """Negated by nothing, the saved weights are the starting ones again, while the checkpoints have moved."""
    run(stranger, tmp_path / "out", "sku", "--set", "scale=0", "--set", "keep_checkpoints=true")
    before = load_file(stranger / "llava" / "model.safetensors")
    after = load_file(tmp_path / "out" / "model" / "model.safetensors")
    assert all(torch.equal(after[name], before[name]) for name in before)
    (last,) = (tmp_path / "out" / "checkpoints").glob("checkpoint-*/model.safetensors")
    assert any(not torch.equal(value, before[name]) for name, value in load_file(last).items())


def test_the_direction_lies_in_the_run_folder(stranger: Stranger, tmp_path: Path) -> None:
    run(stranger, tmp_path / "out", "rmu")
    control = load_file(tmp_path / "out" / "checkpoints" / "prepared.safetensors")["control"]
    assert control.norm().item() == pytest.approx(1.0, abs=1e-6)
