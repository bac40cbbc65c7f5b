"""How it was found out: the scores of the phrases that were mined, and the figures of the mining."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from unsee.report.hallucination import HallucinationReport
from unsee.report.section import Section
from unsee.system.wording import flat


@dataclass(frozen=True)
class Mined:
    """What the section shows."""

    plot: Markup
    figures: list[tuple[str, str]]


def prepare(report: HallucinationReport) -> Mined:
    """The plot and the figures of the report."""
    return Mined(report.plot, list(flat(report.mined)))


SECTION = Section("mined", "How it was found out", "mined", prepare, place=30)
