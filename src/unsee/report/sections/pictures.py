"""What they say: pictures with what every model says about them, what is hallucinated struck out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unsee.report.hallucination import HallucinationReport, Kind, Pictures
from unsee.report.section import Section


@dataclass(frozen=True)
class Told:
    """What one model says."""

    label: str
    pieces: Sequence[tuple[str, Kind]]
    missing: str  # objects that are not named


@dataclass(frozen=True)
class Shown:
    """A picture."""

    photo: str
    objects: str
    told: list[Told]


@dataclass(frozen=True)
class Group:
    """Pictures of one kind."""

    title: str
    drawn: str  # how many of how many
    pictures: list[Shown]


def prepare(report: HallucinationReport) -> list[Group]:
    """Every group in the order of the report."""
    return [
        Group(
            group.title,
            _drawn(group),
            [
                Shown(
                    picture.photo,
                    ", ".join(picture.objects),
                    [Told(caption.label, caption.pieces, ", ".join(caption.missing)) for caption in picture.said],
                )
                for picture in group.shown
            ],
        )
        for group in report.pictures
    ]


def _drawn(group: Pictures) -> str:
    of = f", of {group.of:,} pictures" if group.total < group.of else ""
    return f"{len(group.shown):,} shown of {group.total:,}{of}; drawn by lot."


SECTION = Section("pictures", "What they say", "pictures", prepare, place=20)
