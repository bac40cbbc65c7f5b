"""The sections of the pages, in their order. A new one is a module, a template beside it, and a line here."""

from typing import Any, Final

from unsee.report.contents import Report
from unsee.report.hallucination import HallucinationReport
from unsee.report.section import Section
from unsee.report.sections import (
    again,
    answers,
    curves,
    dozen,
    hallucination,
    limits,
    made,
    metrics,
    mined,
    pictures,
    rates,
    result,
    scores,
    tradeoff,
)

UNLEARNING: Final[tuple[Section[Report, Any], ...]] = (
    result.SECTION,
    dozen.SECTION,
    tradeoff.SECTION,
    scores.SECTION,
    metrics.SECTION,
    hallucination.SECTION,
    curves.SECTION,
    answers.SECTION,
    limits.SECTION,
    made.SECTION,
)
HALLUCINATION: Final[tuple[Section[HallucinationReport, Any], ...]] = (
    rates.SECTION,
    pictures.SECTION,
    mined.SECTION,
    again.SECTION,
)
