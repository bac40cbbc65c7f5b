"""`--dry-run`: stages, steps and a guess, and nothing in the folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.commandline import succeed
from unsee.leaderboard.forecast import parts, per_step
from unsee.leaderboard.plan_file import read_plan
from unsee.leaderboard.planned import on_plan

Write = Callable[..., Path]


def test_cells_and_steps_are_counted_by_stage(written_plan: Write, tmp_path: Path) -> None:
    path = written_plan(methods=["grad_ascent"], budget=9, development_seeds=[100, 101])
    made = on_plan(read_plan(path), tmp_path / "board")
    found = {part.stage: (part.cells, part.steps) for part in parts(made)}
    assert found == {
        "base models": (2, 0),
        "gold and prompt": (3, 0),  # two halves; the prompt on the one that is reported
        # grad_ascent 3, 6 and 12 steps, retain_finetune 6, 12 and 24, each at three rates, on two seeds
        "development": (36, 2 * 3 * (3 + 6 + 12 + 6 + 12 + 24)),
        "reporting": (4, 2 * (12 + 24)),
        "noise": (2, 0),
    }
    assert sum(cells for cells, _ in found.values()) == made.count()


def test_a_plan_is_tried_out_and_nothing_is_written(written_plan: Write, models: Path, tmp_path: Path) -> None:
    path = written_plan(budget=1, seeds=[0], gold=None, model=str(models / "gold"), train={"max_steps": 7})
    found = succeed("bench", path, "--out", tmp_path / "board", "--dry-run", "--json").json
    assert not (tmp_path / "board").exists()
    guess = found["estimate"]
    assert guess["making"] == {"gold": 7}
    assert min(guess["load"], guess["row"]) > 0
    # of each half 2 + 2 people with a photograph and a wording: 8 questions
    # development: base, gold, 2 cells; reporting: base, gold, prompt, 2 cells and noise; retain_finetune's likeliest
    # choice is 30 steps of 50, which are 12 of 20
    assert found["probe_rows"] == {"forget_vqa": 4, "forget_qa": 4, "retain_vqa": 4, "retain_qa": 4}
    steps, questions = 2 * (12 + 20) + 7, 8 * (2 + 2) + 8 * (3 + 2 + 1)
    expected = guess["load"] + steps * guess["step"] + questions * guess["row"]
    assert guess["total"] == pytest.approx(expected)
    text = " ".join(succeed("bench", path, "--out", tmp_path / "board", "--dry-run").out.split())
    assert "gold has to be made: at most 7 optimizer steps" in text
    assert "trained by npo for 1 and for 3 steps" in text


def test_worlds_are_counted_and_not_tried_out(tmp_path: Path) -> None:
    given: list[Any] = ["bench", "--out", tmp_path / "board", "--methods", "npo", "--budget", 1, "--dry-run", "--json"]
    found = succeed(*given).json
    assert found["estimate"] is None
    assert found["stages"][2] == {"stage": "development", "cells": 2, "steps": 80}


def test_what_every_training_takes_to_begin_is_no_part_of_a_step() -> None:
    assert per_step(short=5.0, long=9.0) == 2.0
    assert per_step(short=7.0, long=6.0) == 2.0  # a step takes some time, whatever the machine was busy with
