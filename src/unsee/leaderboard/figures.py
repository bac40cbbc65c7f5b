"""Every number of a leaderboard as one list, for programs: which row, which probe, which metric, and between what."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import Any

from unsee.data.example import Role
from unsee.evaluation.criteria import counted
from unsee.evaluation.records import Record
from unsee.evaluation.registry import measured
from unsee.leaderboard.board import Outcome
from unsee.leaderboard.paper import SHARE
from unsee.leaderboard.plan import BASE, GOLD
from unsee.leaderboard.results import Results, reported_records


@dataclass(frozen=True)
class Figure:
    """One number.

    Attributes:
        row: of the leaderboard; base and gold are rows as well.
        probe: that was asked; None for a number of several probes.
        metric: `exact_match` (the share of right answers), or as `unsee.evaluation.registry` names it, or as the paper
            of a benchmark does.
        score: a mean over seeds, of the answers that count; see `unsee.evaluation.criteria`.
        low: lower end of its 95 % interval over people; None where none is defined.
        high: upper end.
        n: answers that it rests on, over all seeds; those of models that no seed changes count once.
    """

    row: str
    probe: str | None
    metric: str
    score: float | None
    low: float | None
    high: float | None
    n: int | None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def figures(outcome: Outcome, found: Results) -> list[Figure]:
    """All numbers of what was reported, row by row; rows whose training broke have none."""
    return [figure for row in reported_records(outcome) for figure in _of_row(outcome, found, row)]


def _of_row(outcome: Outcome, found: Results, row: str) -> Iterator[Figure]:
    ground = outcome.plan.ground
    cells, bases = outcome.reported[row], [cell.records() for cell in outcome.reported[BASE]]
    # A cell that several seeds share is one measurement.
    once = {cell.folder: (cell.records(), base) for cell, base in zip(cells, bases, strict=True)}
    for probe in bases[0]:
        role = ground.role(probe) or "keep"
        rows = [
            record
            for seed, (records, base) in enumerate(once.values())
            for record in _those_that_count(records[probe], base[probe], role, None if ground.crossed else seed)
        ]
        if probe in found.probes:
            share = found.score(row, probe)
            yield Figure(row, probe, SHARE, share.value, share.low, share.high, len(rows))
        for metric, mean in measured(rows).items() if rows else ():
            yield Figure(row, probe, metric, _number(mean.score), _number(mean.low), _number(mean.high), mean.n)
    yield from _published(outcome, row)


def _published(outcome: Outcome, row: str) -> Iterator[Figure]:
    """The numbers of a benchmark's paper: means over seeds, without an interval."""
    golds = [cell.records() for cell in outcome.reported[GOLD]]
    by_seed: dict[tuple[str | None, str], list[float | None]] = {}
    rows: dict[tuple[str | None, str], int | None] = {}
    for cell, gold in zip(outcome.reported[row], golds, strict=True):
        for probe, metric, score, count in outcome.plan.ground.published(cell.records(), gold):
            by_seed.setdefault((probe, metric), []).append(score)
            rows[probe, metric] = count
    for (probe, metric), scores in by_seed.items():
        known = [score for score in scores if score is not None and math.isfinite(score)]
        mean = fmean(known) if len(known) == len(scores) else None
        yield Figure(row, probe, metric, mean, None, None, rows[probe, metric])


def _those_that_count(
    records: Sequence[Record], base: Sequence[Record], role: Role, world: int | None
) -> Iterator[Record]:
    """With a subject for each that tells people apart: those of worlds, and where all have one subject, its rows."""
    one_person = len({record.subject for record in records}) == 1
    for record, counts in zip(records, counted(base, role), strict=True):
        if counts:
            who = record.subject
            if world is not None:
                who = f"{world}/{who}" if who else None
            elif who is None or one_person:
                who = f"{who or ''}/{record.index}"
            yield replace(record, subject=who)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
