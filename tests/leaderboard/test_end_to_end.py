"""The whole of a small bench, on worlds of ten people and models trained from nothing."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.commandline import succeed

EXAMPLE = Path(__file__).parents[2] / "examples" / "hinge.py"


@pytest.mark.world
@pytest.mark.slow
def test_a_small_bench_from_worlds_to_leaderboard(tmp_path: Path) -> None:
    given = [
        "bench", "--out", tmp_path / "board", "--methods", f"npo,mmunlearner,npo+l1,{EXAMPLE}:Hinge", "--budget", 1,
        "--seeds", 0, "--people", 10,
    ]  # fmt: skip
    found = succeed(*given, "--json").json
    scores = {row["name"]: row["scores"] for row in found["rows"]}
    assert not [row for row in found["rows"] if not row["scores"]]
    assert scores["base"]["forget_vqa"]["value"] > 0.9
    assert scores["gold"]["forget_vqa"]["value"] < 0.5
    assert scores["npo"]["forget_vqa"]["value"] < scores["retain_finetune"]["forget_vqa"]["value"]
    assert scores["hinge"]["forget_vqa"]["value"] < scores["retain_finetune"]["forget_vqa"]["value"]
    cells = list(csv.DictReader((tmp_path / "board" / "cells.csv").open()))
    moved = {one["row"]: float(one["moved"]) for one in cells if one["role"] == "reporting" and one["moved"]}
    assert moved["random_noise"] == pytest.approx(moved["mmunlearner"], rel=1e-3)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "board" / "cells").rglob("scores.json")}
    succeed(*given)
    assert before == {path: path.stat().st_mtime_ns for path in before}
