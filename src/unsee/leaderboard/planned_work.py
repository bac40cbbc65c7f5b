"""What workers do for a plan: they make base and gold, and work off cells."""

from __future__ import annotations

import gc
from functools import lru_cache
from pathlib import Path
from typing import Any

from unsee.errors import InputError
from unsee.leaderboard.half import Half
from unsee.leaderboard.place import Base, Place
from unsee.leaderboard.plan_file import plan_of
from unsee.leaderboard.planned import Planned
from unsee.leaderboard.work import work_off
from unsee.system.files import read_json


def run_cell(half: dict[str, Any], plan: str, base: str, gold: str, **cell: Any) -> None:
    """Do a cell of a plan; the arguments are those of `unsee.leaderboard.cells.job` as JSON carries them.

    Raises:
        InputError: models, rows or settings are not what they were when the bench was started.
    """
    setting = Half(**half, plan=plan)
    work_off(lambda: _place(setting), setting, **cell)


def make_model(plan: str, name: str) -> None:
    """Train base or gold into its folder."""
    from unsee.runs.supervised.learn import learn
    from unsee.system import progress

    ground, _ = opened(plan)
    rows = ground.sets.base_rows if name == "base" else ground.sets.gold_rows
    with progress.silently():
        learn(ground.training(name), rows)
    gc.collect()
    progress.Steps(name, 1).advance()


def _place(half: Half) -> Place:
    ground, base = opened(half.plan)
    if ground.setting(half.seed or 0, half.stage).of != half.of:
        raise InputError(f"{half.plan}: models or rows have changed since the bench was started; start it again")
    return ground.place(half, base)


@lru_cache(maxsize=1)
def opened(plan: str) -> tuple[Planned, Base]:
    """A plan with its rows read, and its model once it is loaded."""
    return Planned(plan_of(read_json(Path(plan))), Path(plan).parent), Base()
