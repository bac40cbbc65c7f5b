"""What development rows showed while a method trained: where it stopped, and which state was kept."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from unsee.report.contents import Report
from unsee.report.plots.curves import curve
from unsee.report.section import Section
from unsee.report.sections.curves import STROKES, Loss
from unsee.report.standings import colour_of
from unsee.system.wording import short
from unsee.training.done import Ended, told


@dataclass(frozen=True)
class Watched:
    """The shares of one method, and a sentence on how its training ended."""

    label: str
    colour: str
    plot: Markup
    sentence: str


@dataclass(frozen=True)
class Stopping:
    """What the section shows."""

    sets: list[Loss]
    panels: list[Watched]


def prepare(report: Report) -> Stopping | None:
    """One panel per method whose training was to end when it is done; nothing where there is none."""
    if not report.endings:
        return None
    names = list(dict.fromkeys(name for ended in report.endings.values() for name in ended.looks[0].right))
    panels = [
        Watched(report.models[method].label, colour_of(report, method), _plot(report, method, number, names), told(one))
        for number, (method, one) in enumerate(report.endings.items())
    ]
    return Stopping([Loss(name, f"l{place % STROKES}") for place, name in enumerate(names)], panels)


def _plot(report: Report, method: str, number: int, names: list[str]) -> Markup:
    """Shares of right answers by step; a line stands where the state was kept."""
    ended: Ended = report.endings[method]
    lines = {name: [(look.step, look.right[name]) for look in ended.looks] for name in ended.looks[0].right}
    title = f"What development rows showed of {short(report.models[method].label, 60)}"
    ident = f"stopping-{number}"
    return curve(lines, title=title, ident=ident, values=(0.0, 1.0), names=names, kept=ended.kept)


SECTION = Section("stopping", "When it was done", "stopping", prepare, place=69)
