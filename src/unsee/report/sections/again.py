"""To do it again: the commands, the settings and the versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unsee.report.hallucination import HallucinationReport
from unsee.report.section import Section
from unsee.report.sections.made import Block
from unsee.system.wording import flat


@dataclass(frozen=True)
class Again:
    """What the section shows."""

    commands: Sequence[str]
    blocks: list[Block]


def prepare(report: HallucinationReport) -> Again:
    """Whatever is known of how the models came about."""
    blocks = {"Settings": report.settings, "Versions": report.environment}
    return Again(
        report.commands, [Block(title, list(flat(settings))) for title, settings in blocks.items() if settings]
    )


SECTION = Section("again", "To do it again", "again", prepare, place=40)
