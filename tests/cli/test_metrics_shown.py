"""A metric that is one function and one entry reaches every table, JSON, and the scores of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.conftest import Stranger
from tests.commandline import call, succeed
from tests.evaluation.test_registry import offer
from unsee.evaluation import measures, registry
from unsee.evaluation.metric import Metric
from unsee.evaluation.records import Record

QUICK = ("--set", "max_steps=1", "--set", "max_new_tokens=4", "--method", "grad_ascent")


def words(records: Sequence[Record]) -> list[float]:
    return [float(len(record.expected.split())) for record in records]


@pytest.fixture
def one_more(monkeypatch: pytest.MonkeyPatch) -> Metric:
    entry = Metric("words", "words expected", words, unit="words", better="neither")
    monkeypatch.setattr(registry, "BUILT_IN", (*measures.BUILT_IN, entry))
    return entry


def unspaced(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_evaluate_shows_it_with_its_interval(stranger: Stranger, one_more: Metric) -> None:
    given = ["--model", stranger / "llava", "--data", stranger / "forget.jsonl", "--max-new-tokens", 4]
    # Of Riga, Oslo, San Francisco, Lima and London one has two words: 1.2 in the mean. One person: rows are resampled.
    (line,) = (line for line in unspaced(succeed("evaluate", *given).out) if line.startswith(one_more.label))
    assert line.startswith("words expected 1.20 words 1.05 words to 1.")
    found = succeed("evaluate", *given, "--json").json
    assert (found["words"], found["metrics"]["words"]["n"]) == (1.2, 20)


def test_a_run_prints_and_keeps_it_and_its_page_shows_it(stranger: Stranger, one_more: Metric, tmp_path: Path) -> None:
    given = ["--model", stranger / "llava", "--forget", stranger / "forget.jsonl", "--out", tmp_path / "run"]
    lines = unspaced(succeed("unlearn", *given, *QUICK).out)
    assert "Further metrics" in lines
    assert any(line.startswith("forget words expected 1.20 words 1.20 words") for line in lines)
    assert any(line.startswith("forget ROUGE-L recall") for line in lines)
    assert not any("log-probability" in line for line in lines)  # which evaluate alone shows
    assert "Words expected" in (tmp_path / "run" / "report.html").read_text()
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())
    for model in ("base", "grad_ascent"):
        kept = scores["models"][model]["forget"]
        assert kept["metrics"]["words"]["score"] == 1.2
        assert kept["rouge_l_recall"] == kept["metrics"]["rouge_l_recall"]["score"]
    printed = succeed("unlearn", tmp_path / "run" / "run.yaml", "--out", tmp_path / "run", "--no-report", "--json").json
    assert printed["models"] == scores["models"]


@pytest.mark.parametrize("command", ["evaluate", "unlearn"])
def test_a_plug_in_that_does_not_fit_is_refused_before_anything_is_done(
    stranger: Stranger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    offer(monkeypatch, tmp_path, "their_metrics:length", "length = 3")
    data = {"evaluate": "--data", "unlearn": "--forget"}[command]
    alone = ["--out", tmp_path / "out", "--set", "retain_weight=0"]
    to = {"evaluate": ["--records", tmp_path / "out"], "unlearn": alone}[command]
    outcome = call(command, "--model", stranger / "llava", data, stranger / "forget.jsonl", *to)
    assert (outcome.code, outcome.out, (tmp_path / "out").exists()) == (2, "", False)
    (line,) = outcome.err.splitlines()
    assert "unsee.metrics: length of their_package 1.2 (their_metrics:length) is 3; give" in line
