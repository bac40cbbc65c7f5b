"""What the page about hallucinated objects shows: models, pictures with what each says, and how it was found out.

What a caption hallucinates is marked in it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from markupsafe import Markup

from unsee.metrics.chair import Lexicon
from unsee.system import wording

Kind = Literal["", "real", "hallucinated"]
Role = Literal["base", "gold", "control", "method"]


@dataclass(frozen=True)
class ModelRow:
    """One model's figures; shares in [0, 1]."""

    name: str
    label: str
    note: str
    role: Role
    chair_s: float
    chair_i: float
    chair_s_matched: float  # captions cut to the base's length
    chair_i_matched: float
    recall: float
    mean_words: float
    pope_f1: float


@dataclass(frozen=True)
class Said:
    """What one model says about a picture."""

    label: str
    role: str
    pieces: Sequence[tuple[str, Kind]]
    missing: Sequence[str] = ()  # objects of the picture that are not named


@dataclass(frozen=True)
class Picture:
    """A picture and what is said about it."""

    photo: str  # data: URI
    objects: Sequence[str]
    said: Sequence[Said]


@dataclass(frozen=True)
class Pictures:
    """Some pictures of one kind."""

    title: str
    shown: Sequence[Picture]
    total: int  # of this kind
    of: int  # pictures that were looked at


@dataclass(frozen=True)
class HallucinationReport:
    """Everything on the page."""

    title: str
    created: str
    rows: Sequence[ModelRow]  # the base first
    pictures: Sequence[Pictures]  # what went wrong first
    plot: Markup  # scores of phrases
    mined: Mapping[str, Any]  # figures about the mining
    commands: Sequence[str]
    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)

    def headline(self) -> str:
        """The outcome of the first method in one sentence."""
        base, method = self.rows[0], next(row for row in self.rows if row.role == "method")
        percent = wording.percent
        return (
            f"{wording.isolated(wording.short(method.label, 60))}: {percent(method.chair_s_matched)} of the captions "
            "name something that is not there, "
            f"before it was {percent(base.chair_s)}. Of what is there they name {percent(method.recall)}, "
            f"before it was {percent(base.recall)}."
        )


def pieces(caption: str, shown: Collection[str], lexicon: Lexicon) -> list[tuple[str, Kind]]:
    """A caption in pieces that together are the caption, with what its objects are."""
    parts: list[tuple[str, Kind]] = []
    at = 0
    for mention in lexicon.mentions(caption):
        if mention.start > at:
            parts.append((caption[at : mention.start], ""))
        kind: Kind = "real" if mention.category in shown else "hallucinated"
        parts.append((caption[mention.start : mention.end], kind))
        at = mention.end
    return [*parts, (caption[at:], "")] if at < len(caption) else parts
