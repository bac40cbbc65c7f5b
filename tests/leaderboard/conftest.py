"""Benches whose cells are made up."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.leaderboard import scripted
from tests.leaderboard.portraits import write_rows
from unsee.leaderboard import cells, worlds
from unsee.leaderboard.board import Outcome, bench
from unsee.leaderboard.plan import plan
from unsee.leaderboard.plan_file import read_plan
from unsee.leaderboard.planned import on_plan
from unsee.leaderboard.planned_work import opened
from unsee.leaderboard.worlds import Worlds
from unsee.system.executors import Executor
from unsee.world.models import WorldModels


@pytest.fixture
def scripted_bench(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Carries out a plan with made-up cells, in this process unless another executor is given."""
    monkeypatch.setattr(cells, "job", scripted.job)
    monkeypatch.setattr(worlds, "prepare", lambda *_: WorldModels(Path("b"), Path("g"), True))

    def run(
        out: Path, methods: tuple[str, ...] = ("grad_diff", "npo"), executor: Executor | None = None, **more: Any
    ) -> Outcome:
        ground = Worlds(**{key: more.pop(key) for key in ("request",) if key in more}, people=more.pop("people", 10))
        return bench(plan(out, methods, ground=ground, **{"seeds": (0, 1), **more}), executor or scripted.Here())

    return run


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders `base` and `gold` with tiny random models."""
    folder = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(("base", "gold")):
        tiny.save(tiny.llava(seed), folder / name)
    return folder


@pytest.fixture
def written_plan(models: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes a plan on rows about eight people, half of whom are to be forgotten."""
    write_rows(tmp_path / "data")

    def write(**changed: Any) -> Path:
        values: dict[str, Any] = {
            "base": str(models / "base"),
            "gold": str(models / "gold"),
            "data": {
                **{"rows": "data/people.jsonl", "subject": "who", "forget": ["Ada", "Bea", "Cyd", "Dan"]},
                "request": "visual",
            },
            "methods": ["npo"],
            "seeds": [0, 1],
            "settings": {"learning_rate": 1e-3, "max_steps": 20},
        }
        path = tmp_path / "plan.yaml"
        path.write_text(json.dumps({key: v for key, v in {**values, **changed}.items() if v is not None}))
        return path

    return write


@pytest.fixture
def planned_bench(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Carries out a plan of a file with made-up cells."""
    monkeypatch.setattr(cells, "job", scripted.half_job)

    def run(path: Path, out: Path, executor: Executor | None = None) -> Outcome:
        opened.cache_clear()
        return bench(on_plan(read_plan(path), out), executor or scripted.Here())

    return run
