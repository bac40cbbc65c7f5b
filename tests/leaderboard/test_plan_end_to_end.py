"""The whole of a small bench on rows of one's own: base and gold made, methods compared, gone on with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import tiny
from tests.commandline import succeed
from tests.leaderboard.portraits import write_rows

KEYS = {"row", "probe", "metric", "score", "low", "high", "n"}


@pytest.mark.slow
def test_rows_of_ones_own_from_a_random_model_to_a_leaderboard(tmp_path: Path) -> None:
    write_rows(tmp_path / "data")
    tiny.save(tiny.llava(), tmp_path / "random")
    plan = {
        "model": str(tmp_path / "random"),
        "data": {
            **{"rows": "data/people.jsonl", "subject": "who", "forget": ["Ada", "Bea", "Cyd", "Dan"]},
            "request": "visual",
        },
        **{"methods": ["npo"], "budget": 1, "seeds": [0]},
        "train": {"learning_rate": 3e-3, "scheduler": "constant", "batch_size": 16, "max_steps": 120},
        "settings": {"learning_rate": 1e-3, "max_steps": 10},
    }
    (tmp_path / "plan.yaml").write_text(json.dumps(plan))
    given = ["bench", tmp_path / "plan.yaml", "--out", tmp_path / "board"]
    found = succeed(*given, "--json").json
    assert all(set(row) == KEYS for row in found["rows"])
    share = {(row["row"], row["probe"]): row["score"] for row in found["rows"] if row["metric"] == "exact_match"}
    assert share["base", "forget_vqa"] == 1.0
    assert share["gold", "forget_vqa"] == 0.0
    assert share["base", "retain_vqa"] == share["gold", "retain_vqa"] == 1.0
    rows = {"base", "gold", "refusing_prompt", "retain_finetune", "npo", "random_noise"}
    assert {row["row"] for row in found["rows"]} == rows
    assert set(found["selected"]) == {"npo", "retain_finetune"}
    assert not list((tmp_path / "board" / "cells").rglob("*.safetensors"))  # weights of cells are not kept
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "board" / "cells").rglob("scores.json")}
    (tmp_path / "board" / "summary.json").unlink()
    assert succeed(*given, "--json").json == found
    assert before == {path: path.stat().st_mtime_ns for path in before}
