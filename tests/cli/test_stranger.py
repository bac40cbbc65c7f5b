"""A stranger's model: unlearn and evaluate checkpoints of two families, with rows and pictures from files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from tests.cli.conftest import Stranger
from tests.commandline import files_of, succeed
from tests.tiny import FAMILIES
from unsee.evaluation.records import read_records

MODES: dict[str, list[str]] = {"full": [], "lora": ["--lora", "4", "--parts", "language,projector"]}
CASES = [(family, method, mode) for family in FAMILIES for method in ("npo", "mmunlearner") for mode in MODES]


@pytest.fixture(scope="module")
def runs(stranger: Stranger, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], tuple[Path, Any]]:
    """One run for each case: its folder, and what was printed."""
    folder = tmp_path_factory.mktemp("runs")
    found = {}
    for case in CASES:
        family, method, mode = case
        out = folder / "-".join(case)
        given = ["--model", stranger / family, "--method", method, "--out", out, *MODES[mode]]
        given += ["--forget", stranger / "forget.jsonl", "--retain", stranger / "retain.jsonl"]
        given += ["--probe", f"forget_vqa={stranger / 'held_out.jsonl'}"]
        given += ["--set", "learning_rate=1e-3", "--set", "epochs=1", "--set", "max_new_tokens=8"]
        outcome = succeed("unlearn", *given, "--json")
        found[case] = out, outcome.json
    return found


@pytest.fixture(scope="module")
def read_by_others(stranger: Stranger, runs: dict[Any, tuple[Path, Any]]) -> dict[str, list[dict[str, Any]]]:
    """What each unlearned model says when transformers and peft alone read it."""
    folders = [str(out / "model") for out, _ in runs.values()]
    command = [
        sys.executable,
        str(Path(__file__).with_name("plain_reader.py")),
        str(stranger / "held_out.jsonl"),
        *folders,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_run_folder_holds_what_it_should(
    stranger: Stranger, runs: dict[Any, tuple[Path, Any]], case: tuple[str, ...]
) -> None:
    (out, printed), (family, method, mode) = runs[case], case
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    weights = "model/adapter_model.safetensors" if mode == "lora" else "model/model.safetensors"
    assert {"run.yaml", "scores.json", "report.html", weights, "model/processor_config.json"} <= names
    assert {f"records/{model}/forget_vqa.jsonl" for model in ("base", method)} <= names
    assert not any(name.endswith((".bin", ".pt", ".pkl")) for name in names if name.startswith("model/"))

    recorded = yaml.safe_load((out / "run.yaml").read_text())
    assert recorded["settings"]["model"] == str(stranger / family)
    assert recorded["settings"]["learning_rate"] == 1e-3
    own: dict[str, dict[str, Any]] = {
        "npo": {"beta": 0.1},
        "mmunlearner": {"gamma": 1.0, "gamma_vision": "gamma", "ceiling": 0.0},
    }
    common: dict[str, Any] = {"forget_weight": 1.0, "retain_weight": 1.0}
    assert recorded["settings"]["hyper_parameters"].items() >= {**common, **own[method]}.items()
    assert printed["models"].keys() == {"base", method}
    assert printed["steps"] == 3  # 20 rows in batches of 8
    assert printed["model"] == str(out / "model")
    assert bool(printed["saliency"]) == (method == "mmunlearner")
    assert "There was little to forget" in printed["verdict"]  # a random model knows nobody


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_others_read_the_model_and_get_what_was_recorded(
    runs: dict[Any, tuple[Path, Any]], read_by_others: dict[str, list[dict[str, Any]]], case: tuple[str, ...]
) -> None:
    out, _ = runs[case]
    recorded = read_records(out / "records" / case[1] / "forget_vqa.jsonl")
    theirs = read_by_others[str(out / "model")]
    assert len(recorded) == len(theirs) == 6
    for ours, other in zip(recorded, theirs, strict=True):
        assert other["said"] == ours.said
        assert other["tokens"] == ours.tokens
        assert other["log_prob"] == pytest.approx(ours.log_prob, abs=2e-4)
    before = read_records(out / "records" / "base" / "forget_vqa.jsonl")
    assert any(abs(old.log_prob - new.log_prob) > 1e-3 for old, new in zip(before, recorded, strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_lora_on_some_parts_leaves_the_others_alone(
    stranger: Stranger, runs: dict[Any, tuple[Path, Any]], family: str
) -> None:
    out, printed = runs[family, "npo", "lora"]
    assert printed["parts"]["vision"][0] == 0
    assert printed["parts"]["projector"][0] > 0
    assert printed["parts"]["language"][0] > 0
    adapter = load_file(out / "model" / "adapter_model.safetensors")
    assert not any("vision_tower" in name or "visual.blocks" in name for name in adapter)
    assert all(bool(torch.isfinite(value).all()) for value in adapter.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_evaluate_before_and_after_agrees_with_the_records(
    stranger: Stranger, runs: dict[Any, tuple[Path, Any]], tmp_path: Path, family: str
) -> None:
    out, _ = runs[family, "npo", "full"]
    said = tmp_path / "said.jsonl"
    asked = ["--data", stranger / "held_out.jsonl", "--max-new-tokens", 8]
    after = succeed("evaluate", "--model", out / "model", *asked, "--records", said, "--json").json
    rows, recorded = read_records(said), read_records(out / "records" / "npo" / "forget_vqa.jsonl")
    assert [row.log_prob for row in rows] == [row.log_prob for row in recorded]
    assert [row.said for row in rows] == [row.said for row in recorded]
    assert after["n"] == 6
    assert after["mean_log_prob"] == pytest.approx(sum(row.log_prob for row in rows) / 6)
    before = succeed("evaluate", "--model", stranger / family, *asked, "--json").json
    assert before["mean_log_prob"] > after["mean_log_prob"]


def test_a_run_can_be_done_again_from_its_own_settings(runs: dict[Any, tuple[Path, Any]], tmp_path: Path) -> None:
    out, printed = runs["qwen2_5_vl", "mmunlearner", "lora"]
    again = succeed("unlearn", out / "run.yaml", "--out", tmp_path / "again", "--no-report", "--json").json
    assert again["models"] == printed["models"]
    assert again["curve"] == printed["curve"]
    assert not (tmp_path / "again" / "report.html").exists()
    for part in ("records", "model"):
        one, other = (files_of(folder / part) for folder in (out, tmp_path / "again"))
        assert one == other


def test_a_finished_run_is_left_as_it_is(runs: dict[Any, tuple[Path, Any]]) -> None:
    out, printed = runs["llava", "npo", "full"]
    before = files_of(out)
    again = succeed("unlearn", out / "run.yaml", "--out", out, "--no-report", "--json").json
    after = files_of(out)
    changed = {name for name in before if before[name] != after.get(name)}
    assert changed <= {"scores.json", "checkpoints/seconds.json"}  # the seconds
    assert {**again, "seconds": 0} == {key: value for key, value in {**printed, "seconds": 0}.items() if key in again}
