"""Further metrics: what `unsee.evaluation.registry` has beside the share of right answers, of every model and probe."""

from __future__ import annotations

from dataclasses import dataclass

from unsee.evaluation.metric import Metric
from unsee.evaluation.registry import metrics
from unsee.evaluation.results import Interval
from unsee.report.contents import ProbeInfo, Report
from unsee.report.section import Section
from unsee.report.standings import Standing, standings
from unsee.system.wording import percent

ARROWS = {"higher": ("↑", "higher with knowledge"), "lower": ("↓", "lower with knowledge"), "neither": ("", "")}


@dataclass(frozen=True)
class Cell:
    """The mean of one model; empty where there is none."""

    mean: str
    interval: str


@dataclass(frozen=True)
class Row:
    """One metric on one probe."""

    label: str
    arrow: str  # which way it goes with knowledge
    arrow_words: str
    cells: list[Cell]
    questions: str  # how many have what it needs; a dash where that is not known, as in older files


@dataclass(frozen=True)
class Group:
    """The metrics of one probe."""

    title: str
    rows: list[Row]


@dataclass(frozen=True)
class Metrics:
    """What the section shows."""

    models: list[Standing]
    columns: int
    groups: list[Group]


def prepare(report: Report) -> Metrics | None:
    """A table with a group for each probe that has any; nothing where none has."""
    models = standings(report)
    groups = [Group(probe.title, _rows(models, probe)) for probe in report.answered]
    groups = [group for group in groups if group.rows]
    return Metrics(models, len(models) + 2, groups) if groups else None


def _rows(models: list[Standing], probe: ProbeInfo) -> list[Row]:
    """The metrics that are shown on a page, in their order; behind them those that nobody here knows any more."""
    means = [score.metrics if (score := standing.model.scores.get(probe.name)) else {} for standing in models]
    measured = {name for of_model in means for name, mean in of_model.items() if mean.score is not None}
    known = metrics()
    names = [name for name, metric in known.items() if name in measured and "page" in metric.shown]
    names += sorted(measured - known.keys())
    return [_row(name, known.get(name), [of_model.get(name) for of_model in means]) for name in names]


def _row(name: str, metric: Metric | None, means: list[Interval | None]) -> Row:
    unit, better = (metric.unit, metric.better) if metric else ("", "neither")
    label = metric.label if metric else name
    cells = [_cell(mean, unit) for mean in means]
    questions = max((mean.n for mean in means if mean), default=0)
    return Row(label[:1].upper() + label[1:], *ARROWS[better], cells, f"{questions:,}" if questions else "\N{EN DASH}")


def _cell(mean: Interval | None, unit: str) -> Cell:
    if mean is None or mean.score is None:
        return Cell("", "")
    value = percent(mean.score, 1) if unit == "share" else f"{mean.score:.2f} {unit}".strip()
    if mean.low is None or mean.high is None:
        return Cell(value, "")
    bounds = (f"{100 * end:.0f}" if unit == "share" else f"{end:.2f}" for end in (mean.low, mean.high))
    return Cell(value, " to ".join(bounds))


SECTION = Section("metrics", "Further metrics", "metrics", prepare, place=50)
