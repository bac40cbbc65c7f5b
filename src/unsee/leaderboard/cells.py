"""One cell: one configuration on one world, trained, measured, and written into a folder of its own.

A cell is finished when its `scores.json` is there, and is never run again. The name of its folder holds a digest of
everything that determines it, so another grid, another request or another world never meets a cell that is not its own.
How one is worked off is in `unsee.leaderboard.work`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel

from unsee.evaluation.records import Record, read_records
from unsee.leaderboard.grids import Configuration
from unsee.system.typed import read_typed
from unsee.system.workers import Job
from unsee.types import Request

FORGET: Final = 0.10  # of the private people
SCORES, SETTINGS = "scores.json", "settings.json"

Subject = Literal["base", "gold", "prompt", "method"]


@dataclass(frozen=True)
class Setting:
    """The world of a cell."""

    seed: int
    people: int
    request: Request

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


class CellScores(BaseModel):
    """What the `scores.json` of a cell holds."""

    scores: dict[str, dict[str, int | float | None]]  # by probe
    failed: str | None = None
    cpu_seconds: float | None = None
    train_seconds: float | None = None
    measure_seconds: float | None = None
    moved: float | None = None
    mask_density: float | None = None


@dataclass(frozen=True)
class Cell:
    """What is measured, and where that goes."""

    folder: Path
    setting: Setting
    subject: Subject
    row: str
    method: str = ""
    configuration: Configuration | None = None
    code: str = ""  # digest of the file of a method from outside

    @property
    def done(self) -> bool:
        """Whether it has been measured."""
        return (self.folder / SCORES).is_file()

    @property
    def scores(self) -> dict[str, Any]:
        """What was found, and `failed` with a sentence where the training broke."""
        content: CellScores = read_typed(self.folder / SCORES, CellScores, strict=True)
        return content.model_dump(exclude_unset=True)

    def records(self) -> dict[str, list[Record]]:
        """The records of each probe; empty where the training broke."""
        return {path.stem: read_records(path) for path in sorted((self.folder / "records").glob("*.jsonl"))}

    def describe(self) -> dict[str, Any]:
        """Everything that determines it, as JSON holds it."""
        chosen = self.configuration.to_dict() if self.configuration else None
        return {
            "world": self.setting.to_dict(),
            "subject": self.subject,
            "row": self.row,
            "method": self.method,
            "configuration": chosen,
            **({"code": self.code} if self.code else {}),
        }


def cell(
    out: Path,
    setting: Setting,
    row: str,
    subject: Subject,
    method: str = "",
    chosen: Configuration | None = None,
    code: str = "",
) -> Cell:
    """The cell of a row in a world; its folder is `cells/seed-SEED/ROW/DIGEST`."""
    made = Cell(out, setting, subject, row, method, chosen, code)
    what = made.describe() | ({"method": row} if code else {})  # the same file elsewhere makes the same cell
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]
    return replace(made, folder=out / "cells" / f"seed-{setting.seed}" / row / digest)


def job(one: Cell, base: Path, gold: Path, base_cell: Path, masks: Path) -> Job:
    """The cell as work for a worker.

    Args:
        one: what to do.
        base: checkpoint of the world's base.
        gold: checkpoint of its gold.
        base_cell: folder of the cell of the base, which is done first.
        masks: folder for saliency masks.
    """
    arguments = {**one.describe(), "base": str(base), "gold": str(gold), "base_cell": str(base_cell)}
    arguments |= {"masks": str(masks), "folder": str(one.folder)}
    return Job("unsee.leaderboard.work:run_cell", arguments, outcome=str(one.folder / SCORES))
