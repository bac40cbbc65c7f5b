"""A run that forgot nothing says so, with figures and with what to type next; defaults that work on a small set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.cli.conftest import Stranger
from tests.cli.test_judged import mined
from tests.commandline import succeed
from unsee.evaluation.run_scores import RunScores
from unsee.methods import build
from unsee.runs.settings import Settings, parse
from unsee.runs.trainer import config
from unsee.training.trainer import UnlearnTrainer

LEAST: dict[str, Any] = {"model": "owner/name", "forget": "owner/rows", "out": "run"}


def test_advice_stands_in_the_terminal_the_scores_and_the_page(
    stranger: Stranger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scripted(scores: RunScores, settings: Settings) -> list[str]:
        return [f"{scores.steps} steps did little; try --set learning_rate={10 * settings.learning_rate:g}"]

    monkeypatch.setattr("unsee.runs.score.advise", scripted)
    least = ("--model", stranger / "llava", "--forget", stranger / "forget.jsonl", "--method", "grad_ascent")
    given = ("max_steps=1", "max_new_tokens=2", "parts=projector", "learning_rate=1e-3")
    shown = succeed("unlearn", *least, "--out", tmp_path / "run", *[w for one in given for w in ("--set", one)])
    said = "1 steps did little; try --set learning_rate=0.01"
    assert said in " ".join(shown.out.split())
    assert json.loads((tmp_path / "run" / "scores.json").read_text())["advice"] == [said]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "What to try next" in page
    assert said in page


def test_likelihoods_of_spans_are_measured_before_and_after(stranger: Stranger, tmp_path: Path) -> None:
    spans = mined(tmp_path / "spans.jsonl", ["A cat here", "Oslo Riga"])
    least = ("--model", stranger / "llava", "--forget", spans, "--method", "efuf", "--out", tmp_path / "run")
    given = ("max_steps=3", "learning_rate=3e-3", "max_new_tokens=4", "parts=language")
    succeed("unlearn", *least, "--no-report", *[word for one in given for word in ("--set", one)])
    found = json.loads((tmp_path / "run" / "scores.json").read_text())["spans"]
    assert found["captions"] == 2
    assert found["negative"]["spans"] == found["positive"]["spans"] == 2
    assert 0 < found["negative"]["tokens"] < found["tokens"]
    assert found["negative"]["after"] < found["negative"]["before"] < 0
    assert found["positive"]["after"] > found["positive"]["before"]


def test_adapters_start_with_a_larger_rate_unless_one_is_given() -> None:
    assert parse(LEAST).learning_rate == 1e-5
    assert parse({**LEAST, "lora": 16}).learning_rate == 1e-4
    assert parse({**LEAST, "lora": 16, "learning_rate": 1e-5}).learning_rate == 1e-5


@pytest.mark.parametrize(
    ("given", "rows", "steps"),
    [({}, 20, 50), ({}, 200, 125), ({"epochs": 5}, 20, 13), ({"max_steps": 7}, 20, 7), ({"batch_size": 2}, 40, 100)],
)
def test_a_small_set_gets_enough_steps_unless_it_is_said_how_many(
    given: dict[str, Any], rows: int, steps: int, tmp_path: Path
) -> None:
    arguments = config(parse({**LEAST, "method": "grad_ascent", **given}), tmp_path)
    trainer = UnlearnTrainer(tiny.llava(), arguments, method=build("grad_ascent"), forget=tiny.examples(rows))
    assert trainer.args.max_steps == steps
