"""Checkpoints as they come, from the command line: with more in them than is used, and rounded as they are loaded."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.cli.conftest import Stranger
from tests.commandline import call, succeed


def test_what_a_run_leaves_is_the_checkpoint_with_other_weights(stranger: Stranger, tmp_path: Path) -> None:
    model = shutil.copytree(stranger / "llava", tmp_path / "model")
    held = load_file(model / "model.safetensors")
    save_file({**held, "mtp.norm.weight": torch.ones(3)}, model / "model.safetensors", metadata={"format": "pt"})
    generation = json.loads((model / "generation_config.json").read_text())
    (model / "generation_config.json").write_text(json.dumps({**generation, "temperature": 0.2, "do_sample": False}))
    given = ["--model", model, "--forget", stranger / "forget.jsonl", "--method", "grad_ascent"]
    short = ["--set", "max_steps=1", "--set", "max_new_tokens=1", "--out", tmp_path / "run"]
    told = succeed("unlearn", *given, *short)
    assert "mtp.norm.weight" in told.out
    left = tmp_path / "run" / "model"
    assert configuration(left) == configuration(model)
    written = {name: value for path in left.glob("*.safetensors") for name, value in load_file(path).items()}
    assert written.keys() == held.keys() | {"mtp.norm.weight"}
    assert any(not torch.equal(written[name], value) for name, value in held.items())
    asked = ["--model", left, "--data", stranger / "forget.jsonl", "--limit", 2, "--max-new-tokens", 1]
    assert succeed("evaluate", *asked, "--json").json["n"] == 2


def configuration(folder: Path) -> dict[str, Any]:
    """What config.json says; the dtype is left out, which transformers writes into every part of it."""
    content: dict[str, Any] = json.loads((folder / "config.json").read_text())
    for part in (content, content["text_config"], content["vision_config"]):
        part.pop("dtype", None)
    return content


@pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="the package bitsandbytes is not installed")
def test_whole_weights_are_measured_in_four_bits(stranger: Stranger) -> None:
    asked = ["--model", stranger / "llava", "--data", stranger / "forget.jsonl", "--limit", 4, "--max-new-tokens", 1]
    exact, near = (succeed("evaluate", *asked, "--json", *more).json for more in ([], ["--quantize", "4bit"]))
    assert 0 < abs(exact["mean_log_prob"] - near["mean_log_prob"]) < 1
    refused = call("evaluate", *asked, "--quantize", "3bit")
    assert (refused.code, refused.err) == (2, "unsee: error: quantize '3bit' is unknown: choose 4bit\n")


def test_doctor_sees_a_missing_shard(stranger: Stranger, tmp_path: Path) -> None:
    model = shutil.copytree(stranger / "llava", tmp_path / "model")
    (model / "model.safetensors").rename(model / "model-00001-of-00002.safetensors")
    places = dict.fromkeys(load_file(model / "model-00001-of-00002.safetensors"), "model-00001-of-00002.safetensors")
    places[min(places)] = "model-00002-of-00002.safetensors"
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    told = call("doctor", "--model", model, "--json")
    assert told.code == 1
    assert any("model-00002-of-00002.safetensors: no such file" in problem for problem in told.json["problems"])
