"""How much every model hallucinates, as a table."""

from __future__ import annotations

from dataclasses import dataclass

from unsee.report.hallucination import HallucinationReport, ModelRow
from unsee.report.section import Section
from unsee.system.wording import percent

COLOURS = 8  # of methods, in the style sheet


@dataclass(frozen=True)
class Rate:
    """A figure."""

    text: str
    strong: bool = False  # one to compare by


@dataclass(frozen=True)
class Row:
    """A model."""

    label: str
    note: str
    role: str
    colour: str
    rates: list[Rate]


@dataclass(frozen=True)
class Rates:
    """What the section shows."""

    headline: str
    rows: list[Row]


def prepare(report: HallucinationReport) -> Rates:
    """Every model in the order of the report."""
    rows = [
        Row(row.label, row.note, row.role, row.role if row.role != "method" else f"c{i % COLOURS}", _rates(row))
        for i, row in enumerate(report.rows)
    ]
    return Rates(report.headline(), rows)


def _rates(row: ModelRow) -> list[Rate]:
    return [
        Rate(percent(row.chair_s, 1)),
        Rate(percent(row.chair_s_matched, 1), strong=True),
        Rate(percent(row.chair_i, 1)),
        Rate(percent(row.chair_i_matched, 1), strong=True),
        Rate(percent(row.recall, 1)),
        Rate(f"{row.mean_words:.1f}"),
        Rate(percent(row.pope_f1, 1)),
    ]


SECTION = Section("result", "Result", "rates", prepare, style="result", place=10)
