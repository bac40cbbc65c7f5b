"""Benches whose cells are made up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.leaderboard import scripted
from unsee.leaderboard import cells, worlds
from unsee.leaderboard.board import Outcome, bench, plan
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
