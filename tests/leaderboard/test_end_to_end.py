"""The whole of a small bench, on worlds of ten people and models trained from nothing."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

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
    share = {row["row"]: row["score"] for row in found["rows"] if _is(row, "forget_vqa", "exact_match")}
    assert set(share) >= {"base", "gold", "refusing_prompt", "random_noise", *found["selected"]}
    assert share["base"] > 0.9
    assert share["gold"] < 0.5
    assert max(share["npo"], share["hinge"]) < share["retain_finetune"]
    cells = list(csv.DictReader((tmp_path / "board" / "cells.csv").open()))
    moved = {one["row"]: float(one["moved"]) for one in cells if one["role"] == "reporting" and one["moved"]}
    assert moved["random_noise"] == pytest.approx(moved["mmunlearner"], rel=1e-3)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "board" / "cells").rglob("scores.json")}
    succeed(*given)
    assert before == {path: path.stat().st_mtime_ns for path in before}


def _is(figure: dict[str, Any], probe: str, metric: str) -> bool:
    return (figure["probe"], figure["metric"]) == (probe, metric)
