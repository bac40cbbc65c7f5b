"""Training curves: what each method was minimising, step by step."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from unsee.report.contents import Report
from unsee.report.plots.curves import curve, first_broken, value_range
from unsee.report.section import Section
from unsee.report.standings import colour_of
from unsee.system.wording import short

STROKES = 6  # kinds of line in the style sheet

Lines = dict[str, list[tuple[int, float]]]  # loss -> its values by step


@dataclass(frozen=True)
class Loss:
    """A line of the legend."""

    name: str
    stroke: str


@dataclass(frozen=True)
class Panel:
    """The training curves of one method."""

    label: str
    colour: str
    plot: Markup


@dataclass(frozen=True)
class Curves:
    """What the section shows."""

    losses: list[Loss]
    panels: list[Panel]
    broken: bool  # some loss stopped being a number


def prepare(report: Report) -> Curves | None:
    """One panel per method, all on one scale; nothing where no curve was kept."""
    lines = _lines(report)
    if not lines:
        return None
    names = list(dict.fromkeys(name for losses in lines.values() for name in losses))
    values = value_range(list(lines.values()))
    panels = []
    for number, (method, losses) in enumerate(lines.items()):
        label = report.models[method].label
        title = f"Training losses of {short(label, 60)}"
        plot = curve(losses, title=title, ident=f"curve-{number}", values=values, names=names)
        panels.append(Panel(label, colour_of(report, method), plot))
    broken = any(first_broken(line) is not None for losses in lines.values() for line in losses.values())
    return Curves([Loss(name, f"l{i % STROKES}") for i, name in enumerate(names)], panels, broken)


def _lines(report: Report) -> dict[str, Lines]:
    """The losses of each method, in the order of its steps."""
    lines: dict[str, Lines] = {}
    for method, points in report.curves.items():
        for point in sorted(points, key=lambda point: point.step):
            for name, value in point.values.items():
                lines.setdefault(method, {}).setdefault(name, []).append((point.step, value))
    return lines


SECTION = Section("curves", "Training curves", "curves", prepare, place=70)
