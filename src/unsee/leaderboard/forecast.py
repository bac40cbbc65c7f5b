"""What a bench would do, without doing it: cells and optimizer steps by stage, and a guess at the time it takes."""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from unsee.data import Probe
from unsee.leaderboard.grids import Configuration, Row
from unsee.leaderboard.place import Place, Trial
from unsee.leaderboard.plan import Plan, reference_row
from unsee.system import progress

SHORT, LONG = 1, 3  # steps of the two trainings that are timed: the first steps take longer than the others


@dataclass(frozen=True)
class Part:
    """A stage of a bench.

    Attributes:
        stage: as the progress bar calls it.
        cells: how many.
        steps: optimizer steps in all of them, at most.
    """

    stage: str
    cells: int
    steps: int


@dataclass(frozen=True)
class Guess:
    """How long a bench may take, in seconds on one worker.

    Attributes:
        load: to load the model.
        step: of one optimizer step.
        row: to ask one question.
        making: optimizer steps of the models that have to be made, by name.
        total: of the whole bench, models that have to be made included.
        how: by what it was measured, in a sentence.
    """

    load: float
    step: float
    row: float
    making: dict[str, int]
    total: float
    how: str


def parts(plan: Plan) -> list[Part]:
    """The stages of a bench. Which configuration is reported is not known before: the longest one is counted."""
    measured = plan.measured()
    bases = sum(one.subject == "base" for one in measured)
    tried = [chosen.max_steps for row in plan.rows for chosen in row.configurations]
    longest = [max(chosen.max_steps for chosen in row.configurations) for row in plan.rows]
    return [
        Part("base models", bases, 0),
        Part("gold and prompt", len(measured) - bases, 0),
        Part("development", len(tried) * len(plan.development), sum(tried) * len(plan.development)),
        Part("reporting", len(longest) * len(plan.seeds), sum(longest) * len(plan.seeds)),
        Part("noise", len(plan.seeds) if reference_row(plan.rows) else 0, 0),
    ]


def described(plan: Plan) -> dict[str, Any]:
    """What `unsee bench --dry-run --json` prints: the plan, its stages, and a guess where there is a model to try."""
    trial, made = plan.ground.trial(), parts(plan)
    values = {**plan.to_dict(), "stages": [asdict(part) for part in made]}
    return {**values, "estimate": asdict(guess(plan, trial, made)) if trial else None}


def guess(plan: Plan, trial: Trial, made: list[Part]) -> Guess:
    """Time a short training and one batch of questions, in memory and with nothing left on disk."""
    row = next((row for row in plan.rows if row.kind == "method"), plan.rows[0])
    with progress.silently(), tempfile.TemporaryDirectory() as scratch:
        started = time.perf_counter()
        loaded = trial.place.untrained()
        load, making = time.perf_counter() - started, trial.making(loaded)
        seconds = {steps: _timed(trial.place, row, steps, Path(scratch)) for steps in (SHORT, LONG)}
        step = per_step(seconds[SHORT], seconds[LONG])
        asked, per_row = _asking(trial.place, Path(scratch))
    rows = 2 * trial.rows["development"] + len(plan.references) * trial.rows["reporting"]  # base, gold; and the prompt
    rows += made[2].cells * trial.rows["development"] + (made[3].cells + made[4].cells) * trial.rows["reporting"]
    steps = sum(part.steps for part in made) + sum(making.values())
    how = (
        f"The model was loaded, trained by {row.name} for {SHORT} and for {LONG} steps, and asked {asked} questions. "
        "Other methods take up to three times as long per step, and workers share the whole."
    )
    return Guess(load, step, per_row, making, load + steps * step + rows * per_row, how)


def per_step(short: float, long: float) -> float:
    """Seconds of a step by those of the two trainings; where a busy machine made the short one longer, by the long."""
    return (long - short) / (LONG - SHORT) if long > short else long / LONG


def _timed(place: Place, row: Row, steps: int, scratch: Path) -> float:
    """Seconds of a training of so many steps."""
    chosen: Configuration = replace(row.configurations[0], max_steps=steps)
    started = time.perf_counter()
    place.trained(row.method, chosen, scratch / f"masks-{steps}")
    return time.perf_counter() - started


def _asking(place: Place, scratch: Path) -> tuple[int, float]:
    """How many questions were asked, and the seconds that each took."""
    largest = max(place.rows.probes, key=len)
    some = largest.examples[: place.measuring.eval_batch_size]
    small = replace(place, rows=replace(place.rows, probes=[Probe("some", some)]))
    started = time.perf_counter()
    small.measured(place.untrained(), scratch / "asked")
    return len(some), (time.perf_counter() - started) / len(some)
