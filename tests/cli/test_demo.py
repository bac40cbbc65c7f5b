"""`unsee demo`: what it passes on and what it prints; the demo itself is tested where it lives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.commandline import Outcome, call, succeed
from unsee.demos import person as demos

SCORE = {"score": 0.5, "low": 0.25, "high": 0.75, "n": 12, "left_out": 1}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Calls of a demo that is over at once."""
    found: list[dict[str, Any]] = []

    def person(out: Path, seed: int = 0, people: int = 30) -> dict[str, Any]:
        found.append({"out": out, "seed": seed, "people": people})
        models = {name: {"forget_vqa": SCORE, "retain_vqa": SCORE} for name in ("base", "gold", "npo")}
        roles = {"forget_vqa": "forget", "retain_vqa": "keep"}
        return {"seed": seed, "people": people, "seconds": {"total": 83.2}, "models": models, "roles": roles}

    monkeypatch.setitem(demos.DEMOS, "person", person)
    return found


def test_defaults(calls: list[dict[str, Any]]) -> None:
    out = succeed("demo").out
    assert calls == [{"out": Path("unsee-demo"), "seed": 0, "people": 30}]
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "forget_vqa 50.0 % 50.0 % 50.0 % 12 1" in lines
    assert "report unsee-demo/report.html" in lines
    assert any(line.startswith("Done in 83 s") for line in lines)


def test_options_and_json(calls: list[dict[str, Any]], tmp_path: Path) -> None:
    found = succeed("demo", "person", "--out", tmp_path / "x", "--seed", 3, "--people", 20, "--json").json
    assert calls == [{"out": tmp_path / "x", "seed": 3, "people": 20}]
    assert found["models"]["gold"]["forget_vqa"] == SCORE


def test_hallucination_prints_its_figures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    figures = {"chair_s": 0.5, "chair_i": 0.25, "chair_s_matched": 0.4, "chair_i_matched": 0.2}
    figures |= {"recall": 0.96, "mean_words": 10.94, "pope_f1": 0.99}
    labels = {"precision": 0.98, "recall": 0.875}

    def hallucination(out: Path, seed: int = 0) -> dict[str, Any]:
        return {"seed": seed, "seconds": 201.3, "models": {"base": figures, "efuf": figures}, "labels": labels}

    monkeypatch.setitem(demos.DEMOS, "hallucination", hallucination)
    out = succeed("demo", "hallucination", "--out", tmp_path / "x", "--seed", 2).out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "base 50.0 % 40.0 % 25.0 % 20.0 % 96.0 % 10.9 99.0 %" in lines
    assert any("98.0 %" in line and "87.5 %" in line for line in lines)
    assert "Done in 201 s." in lines
    assert succeed("demo", "hallucination", "--out", tmp_path / "x", "--json").json["labels"] == labels


def test_hallucination_has_no_people() -> None:
    assert_wrong(call("demo", "hallucination", "--people", 5), "--people: the demo hallucination has none")


def test_an_unknown_demo_is_told_with_the_nearest_one() -> None:
    assert_wrong(call("demo", "halucination"), "did you mean 'hallucination'")


def assert_wrong(outcome: Outcome, message: str) -> None:
    """One line about what is wrong, and exit code 2."""
    assert outcome.code == 2
    assert message in " ".join(outcome.err.split())
