"""The result: one sentence, the two main scores of every model, what became of each, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass

from unsee.evaluation.results import Score
from unsee.report.contents import ProbeInfo, Report
from unsee.report.section import Section
from unsee.report.sections.dozen import SAMPLE, Group, dozen
from unsee.report.standings import Standing, counted, pictures_of, standings
from unsee.report.verdict import VERDICT_SIGNS, Sign, headline

OF_ROLE = {"base": "the model before unlearning", "gold": "the target: trained without what is to be forgotten"}


@dataclass(frozen=True)
class Column:
    """A main score."""

    title: str
    note: str


@dataclass(frozen=True)
class Bar:
    """A score of one model, and where it should end; lengths in percent of the whole, as the style sheet takes them."""

    column: Column
    share: float | None  # None: not measured
    width: str
    aim: str  # empty for none
    aim_of: str  # base or gold


@dataclass(frozen=True)
class Row:
    """A model."""

    label: str
    role: str
    colour: str
    bars: list[Bar]
    signs: list[Sign]
    numbers: str  # the verdict in full
    note: str  # what base and gold are


@dataclass(frozen=True)
class Result:
    """What the section shows."""

    headline: str
    advice: list[str]
    columns: list[Column]
    rows: list[Row]
    without_gold: bool
    failures: list[Group]


def prepare(report: Report) -> Result:
    """The result of every report, even of an empty one."""
    lines = standings(report)
    return Result(
        headline(report),
        report.advice,
        [column for probe in report.axes if (column := _column(report, probe))],
        [_row(report, standing) for standing in lines],
        without_gold=bool(lines and report.answered and report.of_role("gold") is None),
        failures=[group for group in dozen(report) if group.kind != SAMPLE],
    )


def _column(report: Report, probe: ProbeInfo | None) -> Column | None:
    if probe is None:
        return None
    falls = "should fall to the gold mark" if report.of_role("gold") else "should fall"
    notes = ["right answers", falls if probe is report.axes[0] else "should stay"]
    if probe.trained_on:
        notes.append("measured on training rows")
    elif probe.pictures_trained_on:
        notes.append(pictures_of(probe))
    return Column(probe.title, "; ".join(notes))


def _row(report: Report, standing: Standing) -> Row:
    pairs = zip(report.axes, (standing.forget, standing.retain), ("gold", "base"), strict=True)
    return Row(
        standing.label,
        standing.model.role,
        standing.colour,
        [
            _bar(report, standing, column, score, probe, target)
            for probe, score, target in pairs
            if (column := _column(report, probe))
        ],
        _signs(standing),
        standing.verdict.sentence if standing.verdict else "",
        OF_ROLE.get(standing.model.role, ""),
    )


def _bar(
    report: Report, standing: Standing, column: Column, score: Score | None, probe: ProbeInfo | None, target: str
) -> Bar:
    share = score.score if score else None
    model = report.of_role(target) if standing.verdict else None
    aim = counted(model, probe) if model else None
    return Bar(column, share, _length(share), _length(aim.score if aim else None), target)


def _length(share: float | None) -> str:
    return "" if share is None else f"{min(max(share, 0), 1) * 100:.1f}"


def _signs(standing: Standing) -> list[Sign]:
    """What became of a method: first what makes its scores say nothing, where anything does."""
    verdict = standing.verdict
    if verdict is None:
        return []
    condition = verdict.condition if verdict.condition != verdict.forgetting else ""
    outcomes = (condition, verdict.judging, verdict.forgetting, verdict.keeping, verdict.hallucinating)
    return [VERDICT_SIGNS[outcome] for outcome in outcomes if outcome in VERDICT_SIGNS]


SECTION = Section("result", "Result", "result", prepare, style="result", place=10)
