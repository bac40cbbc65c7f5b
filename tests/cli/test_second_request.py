"""A second request on what a first one has left."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText

from tests.cli.conftest import Stranger, write_rows
from tests.commandline import call, succeed
from unsee.data import Probe
from unsee.evaluation import measure as evaluate
from unsee.evaluation.records import Record
from unsee.vlm import LoadedModel, load

SHORT = ("--method", "grad_ascent", "--set", "learning_rate=1e-2", "--set", "max_new_tokens=4", "--lora", 2)


def test_a_second_request_on_a_run_with_lora(stranger: Stranger, tmp_path: Path) -> None:
    """Its adapter holds both and stands on the base of the first, for `unsee evaluate` and for plain PEFT."""
    rows = ["--retain", stranger / "retain.jsonl", *SHORT, "--set", "max_steps=2"]
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
    base = AutoModelForImageTextToText.from_pretrained(stranger / "llava")
    plain = PeftModel.from_pretrained(base, second / "model").eval()
    words = torch.arange(5, 15)[None]
    ours = load(second / "model", device="cpu").model.eval()
    with torch.no_grad():
        torch.testing.assert_close(plain(input_ids=words).logits, ours(input_ids=words).logits)


def test_what_an_earlier_request_removed_and_came_back_is_shown(
    stranger: Stranger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second base does not know it any more, so by its knowledge all of it would be dropped."""
    first, second = tmp_path / "first", tmp_path / "second"
    rows = [*SHORT, "--set", "max_steps=1"]
    succeed("unlearn", "--model", stranger / "llava", "--forget", stranger / "forget.jsonl", *rows, "--out", first)
    for model, right in (("base", True), ("grad_ascent", False)):
        path = first / "records" / model / "forget.jsonl"
        said = [{**json.loads(line), "correct": right} for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(row) + "\n" for row in said))
    measure, again = evaluate.measure, iter([0, 4])  # what is right once more: of the start, of the end

    def scripted(loaded: LoadedModel, probe: Probe, *how: Any) -> Sequence[Record]:
        records = measure(loaded, probe, *how)
        right = next(again) if probe.name == "after_forget" else 0
        return [replace(record, correct=record.index < right) for record in records]

    monkeypatch.setattr(evaluate, "measure", scripted)
    other = write_rows(tmp_path / "other.jsonl", "Ben Holt", 6, 300)
    asked = ["--model", first / "model", "--forget", other, *rows, "--after", first, "--out", second]
    told = succeed("unlearn", *asked, "--json").json
    assert told["after"] == {"grad_ascent": {"after_forget": {"removed": 20, "again": 4}}}
    assert told["models"]["grad_ascent"]["after_forget"]["n"] == 20
    line = "Of the answers that an earlier request removed, some came back: 4 of 20 (after forget)."
    assert line in told["verdict"]
    assert line in (second / "report.html").read_text()
    first.rename(tmp_path / "moved")
    assert line in succeed("report", second, "--json").json["verdict"]


def test_a_third_request_asks_what_the_first_removed_by_what_its_base_knew(stranger: Stranger, tmp_path: Path) -> None:
    """The base of the second had forgotten it already: by its knowledge all of it would be dropped."""
    runs = [tmp_path / name for name in ("first", "second", "third")]
    model: Path = stranger / "llava"
    after: list[str | Path] = []
    forget = [stranger / "forget.jsonl", *(write_rows(tmp_path / f"{n}.jsonl", n, 6, 300) for n in ("Ben", "Cleo"))]
    for run, rows in zip(runs, forget, strict=True):
        asked = ["--model", model, "--forget", rows, *SHORT, "--set", "max_steps=1", *after, "--out", run]
        told = succeed("unlearn", *asked, "--json").json
        model, after = run / "model", ["--after", run]
        for whose, right in (("base", run == runs[0]), ("grad_ascent", False)):
            for path in (run / "records" / whose).glob("*.jsonl"):
                said = [{**json.loads(line), "correct": right} for line in path.read_text().splitlines()]
                path.write_text("".join(json.dumps(row) + "\n" for row in said))
    assert told["after"]["grad_ascent"]["after_after_forget"] == {"removed": 20, "again": 0}
    assert told["after"]["grad_ascent"]["after_forget"]["removed"] == 0
    assert told["models"]["grad_ascent"]["after_after_forget"]["n"] == 20


@pytest.mark.parametrize("damage", ["missing", "unfinished", "taken"])
def test_an_earlier_run_that_cannot_be_asked_again_is_one_line(stranger: Stranger, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "first"
    rows = ["--forget", stranger / "forget.jsonl", *SHORT, "--set", "max_steps=1"]
    if damage == "unfinished":
        folder.mkdir()
    if damage == "taken":
        succeed("unlearn", "--model", stranger / "llava", *rows, "--out", folder)
        rows += ["--probe", f"after_forget={stranger / 'held_out.jsonl'}"]
    outcome = call("unlearn", "--model", stranger / "llava", *rows, "--after", folder, "--out", tmp_path / "second")
    said = {"missing": "no such folder", "unfinished": "holds no finished run", "taken": "after_forget already"}
    assert outcome.code == 2
    assert said[damage] in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert not (tmp_path / "second").exists()
