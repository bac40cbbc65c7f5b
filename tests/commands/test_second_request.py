"""A second request on what a first one has left."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import load_file

from tests.commandline import succeed
from tests.commands.conftest import Stranger, write_rows


def test_a_second_request_on_a_run_with_lora(stranger: Stranger, tmp_path: Path) -> None:
    """Its adapter holds both and stands on the base of the first, for `unsee evaluate` and for plain PEFT."""
    short = [
        "--set",
        "learning_rate=1e-2",
        "--set",
        "max_steps=2",
        "--set",
        "max_new_tokens=4",
        "--lora",
        2,
        "--method",
        "grad_ascent",
    ]
    rows = ["--retain", stranger / "retain.jsonl", *short]
    first, second = tmp_path / "first", tmp_path / "second"
    succeed("unlearn", "--model", stranger / "llava", "--forget", stranger / "forget.jsonl", *rows, "--out", first)
    other = write_rows(tmp_path / "other.jsonl", "Ben Holt", 6, 300)
    succeed("unlearn", "--model", first / "model", "--forget", other, *rows, "--out", second)
    ranks = [json.loads((run / "model" / "adapter_config.json").read_text())["r"] for run in (first, second)]
    bases = [
        json.loads((run / "model" / "adapter_config.json").read_text())["base_model_name_or_path"]
        for run in (first, second)
    ]
    assert ranks == [2, 4]
    assert bases == [str(stranger / "llava")] * 2
    earlier, now = (load_file(run / "model" / "adapter_model.safetensors") for run in (first, second))
    assert earlier.keys() == now.keys()
    asked = ["--data", other, "--max-new-tokens", 4, "--json"]
    told = succeed("evaluate", "--model", second / "model", *asked).json
    assert told["mean_log_prob"] < succeed("evaluate", "--model", first / "model", *asked).json["mean_log_prob"]
