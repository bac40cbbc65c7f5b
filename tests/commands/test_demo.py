"""`unsee demo`: what it passes on and what it prints; the demo itself is tested where it lives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.commandline import succeed

SCORE = {"score": 0.5, "low": 0.25, "high": 0.75, "n": 12, "left_out": 1}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Calls of a demo that is over at once."""
    found: list[dict[str, Any]] = []

    def person(out: Path, seed: int = 0, people: int = 30) -> dict[str, Any]:
        found.append({"out": out, "seed": seed, "people": people})
        models = {name: {"forget_vqa": SCORE, "retain_vqa": SCORE} for name in ("base", "gold", "npo")}
        return {"seed": seed, "people": people, "seconds": {"total": 83.2}, "models": models}

    monkeypatch.setitem(__import__("unsee.demo").demo.DEMOS, "person", person)
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
