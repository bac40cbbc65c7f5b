"""A cell being worked off: trained where there is something to train, asked, and written into its folder."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from unsee.errors import InputError, UnworkableError
from unsee.evaluation.scores import score
from unsee.leaderboard.cells import SCORES, SETTINGS, Cell, Subject
from unsee.leaderboard.grids import configuration as configured
from unsee.leaderboard.ground import Setting
from unsee.leaderboard.place import Place
from unsee.methods.registry import code_of
from unsee.system import progress
from unsee.system.files import write_json


def work_off(
    opened: Callable[[], Place],
    setting: Setting,
    folder: str,
    subject: Subject,
    row: str,
    method: str,
    configuration: dict[str, Any] | None,
    base_cell: str,
    masks: str,
    code: str = "",
) -> None:
    """Do a cell.

    Args:
        opened: gives the place of the setting, which may take a while.
        setting: of the cell.
        folder: of the cell.
        subject: what is measured.
        row: of the leaderboard.
        method: by which the row trains; empty for models that were there before.
        configuration: as `Configuration.to_dict` has it.
        base_cell: folder of the cell of the base, which is done first.
        masks: folder for saliency masks.
        code: digest of the file of a method from outside.

    Raises:
        InputError: the file of a method from outside is not what it was when the bench was planned, or something else
            that was given cannot be used. The cell has no scores then, and is done once that is mended.
    """
    if code and code_of(method) != code:
        raise InputError(f"methods: the code of {method} has changed since the bench was started; start it again")
    started, place, target = time.process_time(), opened(), Path(folder)
    if (target / SCORES).is_file():  # this process was paused, and another one has done it meanwhile
        _count(row)
        return
    shutil.rmtree(target, ignore_errors=True)  # of one that was interrupted
    described: dict[str, Any] = {**setting.to_dict(), "subject": subject, "row": row, "method": method}
    described |= {"configuration": configuration, **({"code": code} if code else {})}
    write_json(target / SETTINGS, described)
    with progress.silently():
        outcome = _outcome(place, subject, method, configuration, Path(masks), target)
    known = outcome.pop("records", {})
    gate = known if subject == "base" else Cell(Path(base_cell), setting.untrained(), "base", "base").records()
    scores = {probe: score(rows, gate[probe]).to_dict() for probe, rows in known.items()}
    outcome["cpu_seconds"] = round(time.process_time() - started, 2)
    write_json(target / SCORES, {"scores": scores, **outcome})
    _count(row)


def _count(row: str) -> None:
    """One of the bench's steps is done."""
    with closing(progress.Steps(row, 1)) as step:
        step.advance()


def _outcome(
    place: Place, subject: Subject, method: str, chosen: dict[str, Any] | None, masks: Path, target: Path
) -> dict[str, Any]:
    """Records, seconds and what else is known about the model of a cell."""
    if subject == "base":
        return place.measured(place.untrained(), target)
    if subject == "gold":
        return place.measured(place.gold_model(), target)
    if subject == "prompt":
        return place.measured(place.untrained(), target, prompted=True)
    assert chosen is not None
    try:
        model, facts = place.trained(method, configured(chosen), masks)
    except (FloatingPointError, UnworkableError) as error:  # a loss that is no number, a mask that lets nothing through
        return {"failed": str(error)}
    return {**facts, **place.measured(model, target)}
