"""`unsee bench`: what it plans, what it prints, and what it refuses."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.commandline import call, succeed
from tests.leaderboard.conftest import scripted_bench  # noqa: F401  (a fixture)
from unsee.metrics.bootstrap import wilson


def test_dry_run_prints_the_plan_and_writes_nothing(tmp_path: Path) -> None:
    out = succeed("bench", "--out", tmp_path / "x", "--methods", "npo,grad_diff", "--budget", 3, "--dry-run").out
    assert "retain_finetune" in out
    assert "beta" in out
    # 4 worlds: base and gold, 3 prompts; 3 rows x 3 configurations; 3 rows and noise on 3 seeds
    assert f"{4 * 2 + 3 + 9 + 9 + 3} cells" in out
    assert not (tmp_path / "x").exists()


def test_dry_run_as_json(tmp_path: Path) -> None:
    given = ("--methods", "npo", "--seeds", "4,5", "--development-seeds", "7,8", "--request", "both")
    found = succeed("bench", "--out", tmp_path / "x", *given, "--dry-run", "--json").json
    assert (found["seeds"], found["development_seeds"], found["request"]) == ([4, 5], [7, 8], "both")
    assert [len(row["configurations"]) for row in found["rows"]] == [9, 9]


def test_table_and_json(scripted_bench: Callable[..., Any], tmp_path: Path) -> None:  # noqa: F811
    scripted_bench(tmp_path)
    given = ("--out", tmp_path, "--methods", "grad_diff,npo", "--seeds", "0,1", "--people", 10)
    lines = [" ".join(line.split()) for line in succeed("bench", *given).out.splitlines()]
    assert any(line.startswith("base 100 % 100 %") for line in lines)
    found = succeed("bench", *given, "--json").json
    assert {row["row"] for row in found["rows"]} >= {"base", "gold", "grad_diff", "random_noise", "refusing_prompt"}
    assert all(set(row) == {"row", "probe", "metric", "score", "low", "high", "n"} for row in found["rows"])
    assert found["selected"]["npo"]["learning_rate"] == 1e-4
    of_gold = {(row["probe"], row["metric"]): row for row in found["rows"] if row["row"] == "gold"}
    # 12 answers about 4 people on each of 2 seeds, none right: nobody of 8 was met who is otherwise
    assert of_gold["forget_vqa", "exact_match"] == {
        **{"row": "gold", "probe": "forget_vqa", "metric": "exact_match", "score": 0.0, "low": 0.0, "n": 24},
        "high": pytest.approx(wilson(0.0, 8)[1]),
    }
    assert of_gold["forget_vqa", "rouge_l_recall"]["score"] == 0.0
    assert of_gold["retain_vqa", "mean_answer_probability"]["score"] == pytest.approx(math.exp(-0.05))
    page = json.loads((tmp_path / "summary.json").read_text())
    assert {row["name"] for row in page["rows"]} == {row["row"] for row in found["rows"]}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--methods", "npoo"], "methods: 'npoo' is unknown"),
        (["--seeds", "one"], "--seeds 'one': give whole numbers"),
        (["--seeds", "100"], "among the development seeds"),
        (["--budget", "12"], "budget: 12 is out of range"),
        (["--request", "face"], "--request 'face'"),
        (["--people", "2"], "people"),
    ],
)
def test_wrong_input_is_one_line(tmp_path: Path, given: list[str], said: str) -> None:
    outcome = call("bench", "--out", tmp_path / "x", *given)
    assert outcome.code == 2
    assert said in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1
    assert not (tmp_path / "x").exists()
