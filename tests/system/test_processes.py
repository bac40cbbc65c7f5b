"""Two processes are one: the same batches, losses, weights and records at the same effective batch."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from tests import tiny
from tests.cli.conftest import write_rows

# On machines without accelerators --multi_gpu makes `accelerate launch` start several processes at all; they use gloo.
LAUNCH = ("accelerate.commands.launch", "--multi_gpu", "--mixed_precision", "no", "--num_machines", "1")
LAUNCH_PIECES = (LAUNCH[0], "--use_fsdp", "--fsdp_version", "2", *LAUNCH[2:])
CASES = {
    "npo": ["--method", "npo"],
    "mmunlearner": ["--method", "mmunlearner", "--set", "gamma=0.5"],
    "kl-lora-accumulated": ["--method", "kl", "--lora", "4", "--set", "gradient_accumulation=2"],
    "dpo-lora-l1": ["--method", "dpo", "--lora", "4", "--set", "l1.weight=0.01"],
    "mmunlearner-pieces": ["--method", "mmunlearner", "--set", "gamma=0.5", "--set", "guard.drop=50"],
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("processes")
    tiny.save(tiny.llava(), folder / "model")
    write_rows(folder / "forget.jsonl", "Ada Byron", 10, 0)
    write_rows(folder / "retain.jsonl", "Max Roth", 12, 100)
    write_rows(folder / "held_out.jsonl", "Ada Byron", 7, 200)
    return folder


@pytest.mark.parametrize("case", CASES)
def test_two_processes_do_what_one_does(data: Path, tmp_path: Path, case: str) -> None:
    one = unlearn(data, tmp_path / "one", [*CASES[case], "--set", "batch_size=4"], 1)
    pieces = case.endswith("pieces")
    two = unlearn(
        data, tmp_path / "two", [*CASES[case], "--set", "batch_size=2"], 2, LAUNCH_PIECES if pieces else LAUNCH
    )

    assert two.keys() == one.keys()
    assert curve(two) == [pytest.approx(step, abs=2e-5) for step in curve(one)]
    for name, expected in weights(tmp_path / "one").items():
        assert weights(tmp_path / "two")[name].numpy() == pytest.approx(expected.numpy(), abs=2e-5), name
    for model in ("base", case.partition("-")[0]):
        expected_rows, rows = records(tmp_path / "one", model), records(tmp_path / "two", model)
        assert [row.pop("log_prob") for row in rows] == pytest.approx(
            [row.pop("log_prob") for row in expected_rows], abs=1e-3
        )
        assert rows == expected_rows


@pytest.mark.slow
def test_a_model_in_pieces_is_asked_as_one_that_is_whole(data: Path) -> None:
    command = ["evaluate", "--model", data / "model", "--data", data / "held_out.jsonl", "--json"]
    command += ["--attack", "wording", "--max-new-tokens", "3", "--batch-size", "2"]
    assert started(command, 2, LAUNCH_PIECES) == started(command, 1)


def unlearn(
    data: Path, out: Path, more: Sequence[str], processes: int, launch: Sequence[str] = LAUNCH
) -> dict[str, Any]:
    """One run of the command line in so many processes; what it prints."""
    command = ["unlearn", "--model", data / "model", "--out", out, "--json", "--no-report", "--no-share-base"]
    command += ["--forget", data / "forget.jsonl", "--retain", data / "retain.jsonl"]
    command += ["--probe", f"held_out={data / 'held_out.jsonl'}", *more]
    for setting in ("max_steps=4", "learning_rate=1e-3", "max_new_tokens=3", "eval_batch_size=2", "save_steps=3"):
        command += ["--set", setting]
    return started(command, processes, launch)


def started(command: Sequence[object], processes: int, launch: Sequence[str] = LAUNCH) -> dict[str, Any]:
    """What a command prints that is started in so many processes."""
    launcher = [*launch, "--num_processes", str(processes), "--main_process_port", str(free_port()), "-m"]
    done = subprocess.run(
        [sys.executable, "-m", *(launcher if processes > 1 else []), "unsee", *map(str, command)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)  # one object: one process speaks
    return found


def curve(found: dict[str, Any]) -> list[dict[str, float]]:
    assert len(found["curve"]) == 4
    return list(found["curve"])


def weights(run: Path) -> dict[str, Any]:
    (file,) = (run / "model").glob("*.safetensors")
    return load_file(file)


def records(run: Path, model: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (run / "records" / model / "held_out.jsonl").read_text().splitlines()]
    assert len(rows) == 7
    return rows


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
