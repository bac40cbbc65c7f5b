"""Forgetting against keeping: every model as a mark in a plot, with the goal."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from unsee.evaluation.criteria import FORGET_MARGIN, KEEP_MARGIN
from unsee.evaluation.results import Score
from unsee.report.contents import ProbeInfo, Report
from unsee.report.plots.scatter import Goal, Point, scatter
from unsee.report.section import Section
from unsee.report.standings import Standing, counted, standings

SIZES = (("wide", (680, 430)), ("narrow", (340, 400)))  # pixels, on a wide and on a narrow page


@dataclass(frozen=True)
class Tradeoff:
    """What the section shows."""

    plots: dict[str, Markup]  # the same one by the width of the page
    base: bool
    gold: bool
    methods: bool
    untaught: str  # who still guesses right
    guessing: bool
    guessing_differs: bool  # from question to question


def prepare(report: Report) -> Tradeoff | None:
    """The plot, where any model has both scores."""
    forget, retain = report.axes
    points = [point for standing in standings(report) if (point := _point(report, standing))]
    if forget is None or retain is None or not points:
        return None
    face = report.kind == "person" and report.request != "textual"
    return Tradeoff(
        {
            name: scatter(
                points,
                x_label=forget.title,
                y_label=retain.title,
                ident=f"plot-{name}",
                size=size,
                goal=_goal(report, forget, retain),
                chance=_chance(report, forget),
            )
            for name, size in SIZES
        },
        base=report.of_role("base") is not None,
        gold=report.of_role("gold") is not None,
        methods=bool(report.methods),
        untaught="whoever never saw a face" if face else "who never learned it",
        guessing=bool(report.chance) or forget.chance is not None,
        guessing_differs=bool(report.chance) and forget.chance is None,
    )


def _point(report: Report, standing: Standing) -> Point | None:
    x, y = standing.forget, standing.retain
    if x is None or y is None or x.score is None or y.score is None:
        return None
    colour = (
        list(report.models).index(standing.name) if standing.colour in ("base", "gold") else int(standing.colour[1:])
    )
    return Point(standing.model.label, standing.model.role, colour, x.score, y.score, _interval(x), _interval(y))


def _interval(score: Score) -> tuple[float, float] | None:
    return None if score.low is None or score.high is None else (score.low, score.high)


def _goal(report: Report, forget: ProbeInfo, retain: ProbeInfo) -> Goal | None:
    """The box of the verdict: forgot within the margin of gold, kept within the margin of base."""
    gold, base = report.of_role("gold"), report.of_role("base")
    target = counted(gold, forget) if gold else None
    kept = counted(base, retain) if base else None
    if not target or not kept or target.score is None or kept.score is None:
        return None
    return Goal(target.score - FORGET_MARGIN, target.score + FORGET_MARGIN, kept.score - KEEP_MARGIN)


def _chance(report: Report, probe: ProbeInfo) -> tuple[float, float] | None:
    if probe.chance is not None:
        return probe.chance, probe.chance
    return (min(report.chance.values()), max(report.chance.values())) if report.chance else None


SECTION = Section("plot", "Forgetting against keeping", "tradeoff", prepare, place=30)
