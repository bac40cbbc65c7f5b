"""One cell: one configuration in one setting, trained, measured, and written into a folder of its own.

A cell is finished when its `scores.json` is there, and is never run again. The name of its folder holds a digest of
everything that determines it, so another grid, another request or other people never meet a cell that is not its own.
How one is worked off is in `unsee.leaderboard.work`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from unsee.evaluation.records import Record, read_records
from unsee.leaderboard.grids import Configuration
from unsee.leaderboard.ground import Models, Setting
from unsee.system.typed import read_typed
from unsee.system.workers import Job

SCORES, SETTINGS = "scores.json", "settings.json"

Subject = Literal["base", "gold", "prompt", "method"]


class CellScores(BaseModel):
    """What the `scores.json` of a cell holds."""

    scores: dict[str, dict[str, int | float | None]]  # by probe
    failed: str | None = None
    cpu_seconds: float | None = None
    train_seconds: float | None = None
    measure_seconds: float | None = None
    moved: float | None = None
    mask_density: float | None = None
    steps: int | None = None


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
            **self.setting.to_dict(),
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
    """The cell of a row in a setting; its folder is `cells/SETTING/ROW/DIGEST`, as in `cells/seed-0/npo/...`."""
    made = Cell(out, setting, subject, row, method, chosen, code)
    what = made.describe() | ({"method": row} if code else {})  # the same file elsewhere makes the same cell
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]
    return replace(made, folder=out / "cells" / setting.name / row / digest)


def job(one: Cell, models: Models, base_cell: Path, masks: Path) -> Job:
    """The cell as work for a worker.

    Args:
        one: what to do.
        models: base and gold of its setting.
        base_cell: folder of the cell of the base, which is done first.
        masks: folder for saliency masks.
    """
    arguments = {**one.describe(), **one.setting.needed(), **models._asdict(), "base_cell": str(base_cell)}
    arguments |= {"masks": str(masks), "folder": str(one.folder)}
    return Job(one.setting.runs, arguments, outcome=str(one.folder / SCORES))
