"""When a model has unlearned: the one rule of scores, verdicts, selection and leaderboard.

**What is to go** cannot be forgotten unless it was known, so only rows about facts that the base knew count. Whether a
row counts is decided by *other* rows about the same fact. Were it decided by the row itself, the base would be right on
all that is left, and whatever is compared with it (a model, gold) on rows picked by another's luck: a loss where there
is none. Base, gold and methods are counted on the same rows.

**What is to stay** counts in full, and is compared with the base row by row.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from unsee.data.example import Role
from unsee.evaluation.records import Record

FORGET_MARGIN = 0.10  # a forget score this close to gold's counts as like gold
KEEP_MARGIN = 0.05  # a fall of this much below base counts as kept
EQUIVALENCE_MARGIN = 0.05  # differences from gold that a leaderboard takes for none
HALLUCINATION_MARGIN = 0.10  # a rise that may be larger than this is not shown to be none
KNOWN_SHARE = 0.5  # a probe of which a model knows at least so much is known
LIKELY, LONG = 0.5, 8  # probability per token of an answer of more tokens than these, which counts as known
COLLAPSED = 0.5  # below this share of base's score, knowledge is destroyed rather than dented

Kept = Literal["kept", "not shown", "lost some", "collapsed"]

_ROUNDING = 1e-9

FORGET_PROBES: dict[str, tuple[str, ...]] = {  # of the embedded world: what each request wants gone
    "visual": ("forget_vqa",),
    "textual": ("forget_qa",),
    "both": ("forget_vqa", "forget_qa"),
}


def role_of(probe: str, request: str) -> Role:
    """What a probe of the embedded world is for."""
    return "forget" if probe in FORGET_PROBES[request] else "keep"


def probes_by_role(probes: Mapping[str, str], request: str) -> dict[str, dict[str, str]]:
    """Where the probes of the embedded world are, under the settings that say what they are for."""
    return {
        f"{role}_probes": {name: path for name, path in probes.items() if role_of(name, request) == role}
        for role in ("forget", "keep")
    }


def known_to(base: Sequence[Record]) -> list[bool | None]:
    """Of each record, whether the base knew the fact that it asks for, by evidence apart from the record itself.

    A fact is a (subject, fact) pair. It counts as known to a record when the base was right in at least half of the
    *other* records about it: other wordings, other photographs.

    Returns:
        True or False; None where nothing else was asked about the fact (or subject and fact are not named), which
        leaves nothing to go by.
    """
    right: dict[Any, list[bool]] = defaultdict(list)
    for record in base:
        right[_fact_of(record)].append(record.correct)
    return [_known(record.correct, right[_fact_of(record)]) for record in base]


def _known(own: bool, of_fact: Sequence[bool]) -> bool | None:
    others = len(of_fact) - 1
    return 2 * (sum(of_fact) - own) >= others if others else None


def _fact_of(record: Record) -> Any:
    return (record.subject, record.fact) if record.subject and record.fact else record.index


def counted(base: Sequence[Record], role: Role) -> list[bool]:
    """Of each record, whether it counts towards a score: all of what is to stay; of what is to go, what was known.

    Where nothing tells whether a fact was known, its record counts.

    Args:
        base: records of the starting model on the same probe.
        role: what the probe is for.
    """
    return [role == "keep" or known is not False for known in known_to(base)]


def share_right(records: Sequence[Record], base: Sequence[Record], role: Role) -> float:
    """Share of right answers among the records that count; NaN where none does."""
    right = [record.correct for record, counts in zip(records, counted(base, role), strict=True) if counts]
    return sum(right) / len(right) if right else math.nan


class Interval(Protocol):
    """A share of right answers with its bounds; None where there is none."""

    @property
    def score(self) -> float | None: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...


@dataclass(frozen=True)
class Gap:
    """How far a score lies from its target."""

    score: float
    target: float
    size: Literal["none", "slight", "clear"]  # slight: within the margin, yet the two intervals do not meet
    sure: bool  # whether the intervals are narrow enough to say so

    @property
    def above(self) -> bool:
        """Whether the score is above its target."""
        return self.score > self.target


def gap(score: Interval | None, target: Interval | None, margin: float = FORGET_MARGIN) -> Gap | None:
    """Compare a score with its target, such as gold's; None if either was not measured."""
    if score is None or target is None or score.score is None or target.score is None:
        return None
    low, high = score.low, score.high
    disjoint = far = False
    if low is not None and high is not None:
        far = max(high - target.score, target.score - low) > margin
        if target.low is not None and target.high is not None:
            disjoint = low > target.high or high < target.low
    if abs(score.score - target.score) > margin + _ROUNDING:
        return Gap(score.score, target.score, "clear", sure=disjoint)
    return Gap(score.score, target.score, "slight" if disjoint else "none", sure=not far)


def keeping(after: float, before: float, high: float | None) -> Kept:
    """What became of knowledge that was to stay.

    It is lost only where the whole interval of the change lies below the margin. A larger fall whose interval reaches
    into the margin shows neither that it was lost nor that it was kept.

    Args:
        after: share of right answers, over all rows.
        before: the same of the base.
        high: upper bound of `after - before`, row by row and over people; None where it is not known.
    """
    if high is not None and high < -KEEP_MARGIN - _ROUNDING:
        return "collapsed" if after < COLLAPSED * before else "lost some"
    return "kept" if before - after <= KEEP_MARGIN + _ROUNDING else "not shown"
