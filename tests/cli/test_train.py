"""`unsee train`: what it prints and writes, what it refuses, and that several processes give what one gives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.cli.conftest import Stranger
from tests.commandline import call, files_of, succeed
from tests.system.test_processes import free_port
from unsee.runs.supervised.settings import TrainSettings

PAGE = Path(__file__).parents[2] / "docs" / "train.md"
QUICK = ["--set", "max_steps=3", "--set", "learning_rate=1e-3", "--set", "max_new_tokens=4"]


def given(stranger: Stranger, out: Path, *more: object) -> list[object]:
    return ["train", "--model", stranger / "llava", "--data", stranger / "forget.jsonl", "--out", out, *QUICK, *more]


def test_what_it_prints_and_leaves_behind(stranger: Stranger, tmp_path: Path) -> None:
    out = tmp_path / "out"
    probe = f"new={stranger / 'held_out.jsonl'}"
    printed = succeed(*given(stranger, out, "--probe", probe, "--until", "0.9", "--json")).json
    assert printed["model"] == str(out / "model")
    assert printed["from"] == str(stranger / "llava")
    assert (printed["rows"], printed["steps"], printed["learning_rate"]) == (20, 3, 1e-3)
    assert printed["until"] == {"score": 0.9, "probes": ["new"], "rows": 64, "reached": False}
    assert set(printed["probes"]["new"]) >= {"score", "low", "high", "n"}
    assert {path.split("/")[0] for path in files_of(out)} == {
        *("train.yaml", "scores.json", "model", "records", "checkpoints")
    }
    assert (out / "records" / "new.jsonl").is_file()
    before = files_of(out / "model")
    shown = succeed(*given(stranger, out, "--probe", probe, "--until", "0.9")).out
    assert "Did not reach 90.0 %" in shown
    assert files_of(out / "model") == before
    again = succeed("train", out / "train.yaml", "--out", tmp_path / "again", "--json").json
    assert again["probes"] == printed["probes"]
    assert files_of(tmp_path / "again" / "model") == before


WRONG: dict[str, tuple[list[str], str]] = {
    "no data": (["--model", "llava"], "missing --out, --data (or --benchmark)"),
    "two sources": (
        ["--benchmark", "clear", "--source", ".", "--role", "base", "--data", "forget.jsonl"], "are both given"
    ),
    "no role": (["--benchmark", "clear", "--source", "."], "role missing"),
    "another role": (["--benchmark", "clear", "--source", ".", "--role", "silver"], "role='silver'"),
    "another benchmark": (["--benchmark", "cleer", "--source", ".", "--role", "base"], "did you mean 'clear'?"),
    "split alone": (["--data", "forget.jsonl", "--split", "forget10"], "split belongs to a benchmark"),
    "role alone": (["--data", "forget.jsonl", "--role", "gold"], "role belongs to a benchmark"),
    "request alone": (["--data", "forget.jsonl", "--request", "visual"], "request belongs to a benchmark"),
    "missing file": (["--data", "forgot.jsonl"], "no such file"),
    "too much": (["--data", "forget.jsonl", "--until", "95"], "until.score=95.0"),
    "unknown setting": (["--data", "forget.jsonl", "--set", "learnin_rate=1"], "did you mean 'learning_rate'?"),
    "unknown probe": (["--data", "forget.jsonl", "--set", "until.probes=a"], "no probe 'a'"),
    "nothing to merge": (["--data", "forget.jsonl", "--merge"], "add --lora"),
    "a probe's name": (["--data", "forget.jsonl", "--probe", "a/b=held_out.jsonl"], "cannot name a file"),
    "no model": (["--data", "forget.jsonl", "--model", "nowhere"], "nowhere"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_told_in_one_line_and_leaves_nothing(
    case: str, stranger: Stranger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(stranger.folder)
    arguments, complaint = WRONG[case]
    model = [] if "--model" in arguments else ["--model", "llava"]
    out = [] if case == "no data" else ["--out", tmp_path / "out"]
    outcome = call("train", *model, *arguments, *out)
    assert (outcome.code, outcome.out) == (2, "")
    assert complaint in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_code_that_only_a_file_of_settings_names_is_told_of_before_it_is_run(
    stranger: Stranger, tmp_path: Path
) -> None:
    (tmp_path / "spec.py").write_text("SPEC = 1\n")
    file = tmp_path / "train.yaml"
    file.write_text(f"benchmark: {tmp_path / 'spec.py'}:SPEC\nsource: .\nrole: base\n")
    outcome = call("train", file, "--model", stranger / "llava", "--out", tmp_path / "out")
    told, refused = outcome.err.splitlines()
    assert told == f"The benchmark is code of {tmp_path / 'spec.py'}:SPEC, as {file} says; it is run."
    assert "is int, not a BenchmarkSpec" in refused
    assert "is code of" not in call("train", file, "--benchmark", "clear", "--model", "m", "--out", tmp_path).err


def test_the_page_is_what_the_command_prints() -> None:
    table = succeed("settings", "--of", "train", "--markdown").out
    assert PAGE.read_text(encoding="utf-8").endswith(table), "unsee settings --of train --markdown prints that"
    found = succeed("settings", "--of", "train", "--json").json
    assert set(TrainSettings.model_fields) == {name for name in found if "." not in name}
    assert call("settings", "--of", "tune").code == 2


@pytest.mark.slow
def test_two_processes_give_what_one_gives(stranger: Stranger, tmp_path: Path) -> None:
    """At the same effective batch, with looks on the way, and a probe of which each asks a part."""
    settings = [*QUICK, "--until", "0.5", "--set", "until.every=1", "--set", "eval_batch_size=4"]

    def arguments(out: str, batch_size: int) -> list[str]:
        return [str(a) for a in given(stranger, tmp_path / out, *settings, "--set", f"batch_size={batch_size}")]

    environment: dict[str, Any] = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    environment |= {"ACCELERATE_USE_CPU": "true", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    environment["MASTER_PORT"] = str(free_port())
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "unsee", *arguments("two", 2)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]  # fmt: skip
    try:
        errors = [process.communicate(timeout=240)[1] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0], "\n".join(errors)
    succeed(*arguments("one", 4))
    one, two = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    for name, expected in one.items():
        torch.testing.assert_close(two[name], expected, rtol=0, atol=2e-5, msg=name)
