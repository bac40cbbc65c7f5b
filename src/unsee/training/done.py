"""Ending a training when what was asked for shows: enough is forgotten, and what should stay has stayed.

A few rows that no probe contains are asked every so many steps. Two numbers are asked for: of the rows to be forgotten
that the model knew, the share that is still right, at most; of those to be kept, the share that is right, at least, for
each set of them. The rule:

- The training ends at the first look at which both hold, at the last step, or when weights are no longer numbers; and
  when for `PATIENCE` looks in a row enough was forgotten, too much was lost, and none came nearer than one before.
- The state is kept that is nearest to what was asked: half of what is missed of forgetting, and half of the largest
  shortfall of what should stay. Where gold's share is the mark, forgetting more than it is a miss as well. Of states
  that are equally near the earliest is kept.

Where the rate is the run's to find, it follows the looks as well. A short test shows what breaks, not what forgets:
while nothing is lost and little goes, the rate is raised from look to look. It is never lowered: what was lost comes
back by training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from pydantic import BaseModel, ConfigDict

PATIENCE = 10  # looks in a row at which enough is forgotten and too much is lost
LITTLE = 0.05  # of the known forget rows: where less went since the last look, the rate is raised
RAISED = 1.25  # times the rate
MOST = 10.0  # times the rate that was found
FORGET = "forget"  # the set that is to go; others are to stay
ROUNDING = 1e-9

Why = Literal["reached", "steps", "lost", "broken"]


class Look(BaseModel):
    """What was right at a step: shares from 0 to 1, by set; and by what the rate was multiplied until then."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int
    right: dict[str, float]
    pace: float = 1.0


class Asked(BaseModel):
    """What a training is to come to.

    Attributes:
        forget: share of the known forget rows that may still be right.
        gold: the same of a model that never learned them, where its share is the mark; else None.
        keep: share that has to be right, by set.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    forget: float
    gold: float | None = None
    keep: dict[str, float]

    def forgotten(self, look: Look) -> bool:
        """Whether enough is forgotten."""
        return look.right[FORGET] <= self.forget + ROUNDING

    def kept(self, look: Look) -> bool:
        """Whether what should stay is there."""
        return all(look.right[name] >= share - ROUNDING for name, share in self.keep.items())

    def distance(self, look: Look) -> float:
        """How far a state is from what was asked; 0 is there, 1 the opposite in everything."""
        share = look.right[FORGET]
        missed = max(0.0, share - self.forget)
        if self.gold is not None:
            missed = max(missed, 2 * self.gold - self.forget - share)  # as far below gold as may be above it
        lost = [max(0.0, least - look.right[name]) for name, least in self.keep.items()]
        return 0.5 * missed + 0.5 * max(lost, default=0.0)


def nearest(looks: Sequence[Look], asked: Asked) -> Look:
    """The look whose state is kept."""
    return min(looks, key=lambda look: (round(asked.distance(look), 9), look.step))


def over(looks: Sequence[Look], asked: Asked, last: bool) -> Why | None:
    """Why a training is over at its last look; None where it is not.

    Args:
        looks: in order.
        asked: what it is to come to.
        last: whether no step is left.
    """
    recent = looks[-PATIENCE:]
    if asked.forgotten(recent[-1]) and asked.kept(recent[-1]):
        return "reached"
    stuck = len(recent) == PATIENCE and nearest(looks, asked).step < recent[0].step
    if stuck and all(asked.forgotten(look) and not asked.kept(look) for look in recent):
        return "lost"
    return "steps" if last else None


def paced(looks: Sequence[Look], asked: Asked, pace: float) -> float:
    """What the rate is multiplied by after the last look.

    Args:
        looks: in order, two at least.
        asked: what the training is to come to.
        pace: by what it was until then.
    """
    before, now = looks[-2:]
    little = before.right[FORGET] - now.right[FORGET] < LITTLE - ROUNDING
    return min(MOST, RAISED * pace) if little and asked.kept(now) and not asked.forgotten(now) else pace


class Ended(BaseModel):
    """How a training went that was to end when it is done, as `scores.json` holds it.

    Attributes:
        asked: what it was to come to.
        rows: how many were asked at each look, by set; of those to be forgotten, those that were known.
        held_out: by what they were taken out of the training rows ("picture", "question"), by set; empty where rows
            were asked that are trained on.
        looks: in order of steps, from the starting weights on.
        step: at which the training ended.
        kept: step of the weights that the model has.
        why: it was reached; the steps were over; what should stay did not come back; weights were no numbers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    asked: Asked
    rows: dict[str, int]
    held_out: dict[str, str]
    looks: list[Look]
    step: int
    kept: int
    why: Why

    @property
    def at_kept(self) -> Look:
        """The look at the state that the model has."""
        return next(look for look in self.looks if look.step == self.kept)


@dataclass(frozen=True)
class Wanted:
    """What is asked for, in numbers of which some are relative.

    Attributes:
        forget: share of the forget rows at most, or the distance from gold's share where `gold` says what gold knows.
        retain: share of what should stay at least, or how far below the start it may come.
        below_start: whether `retain` is the latter.
        gold: of each forget row whether gold is right; None where gold is no mark.
    """

    forget: float
    retain: float
    below_start: bool
    gold: Sequence[bool] | None = None

    def asked(self, start: Mapping[str, float], known: Sequence[bool]) -> Asked:
        """In shares, once it is known what is right at the start and which forget rows are known."""
        gold = None
        if self.gold is not None:
            gold = fmean(right for right, counts in zip(self.gold, known, strict=True) if counts)
        keep = {name: share - self.retain if self.below_start else self.retain for name, share in start.items()}
        return Asked(forget=self.forget + (gold or 0.0), gold=gold, keep=keep)


def told(ended: Ended) -> str:
    """A sentence on how it went, for a terminal and a page."""
    looked_at = ended.at_kept.right
    shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in looked_at.items())
    asked = [f"forget at most {100 * ended.asked.forget:.0f} %"]
    asked += [f"{name} at least {100 * share:.0f} %" for name, share in ended.asked.keep.items()]
    came = {
        "reached": f"Stopped at step {ended.step}, as what was asked for showed on development rows",
        "steps": f"What was asked for did not show on development rows within {ended.step} steps",
        "lost": f"Stopped at step {ended.step}: enough was forgotten, but what should stay did not come back",
        "broken": f"Stopped at step {ended.step}, where weights were no longer numbers",
    }[ended.why]
    paces = sorted({look.pace for look in ended.looks})
    pace = f" The rate went from {paces[0]:.2g} to {paces[-1]:.2g} times what was found." if len(paces) > 1 else ""
    return f"{came} ({', '.join(asked)} right). The model is that of step {ended.kept}: {shares}.{pace} {_which(ended)}"


def _which(ended: Ended) -> str:
    """Which rows were looked at."""
    rows = ", ".join(f"{count} {name}" for name, count in ended.rows.items())
    out = [name for name, by in ended.held_out.items() if by]
    trained = [name for name, by in ended.held_out.items() if not by]
    ways = [f"{' and '.join(out)} held out" if out else "", f"{' and '.join(trained)} trained on" if trained else ""]
    return f"Looked at: {rows} rows ({', '.join(filter(None, ways))})."
