"""Finding a learning rate by a short range test (after Smith 2017, arXiv 1506.01186, section 3.3).

From the starting weights, on the run's own objective, the rate rises from step to step, geometrically. After each step
it is looked at how likely the answers of a few rows are. At some rate what should stay begins to break: its likelihood
has fallen by more than `FALL`. A run makes many steps at one rate where the test made few, so the rate is taken that
is `FRACTION` of it. The weights are put back bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from unsee.training.done import FORGET

STEPS = 41  # of the test, ten to a decade
BELOW, ABOVE = 10.0, 1000.0  # it begins at so much less than `learning_rate`, and ends at so much more
FALL = 0.1  # nats per token by which what should stay may become less likely
FRACTION = 0.3  # of the rate at which it does


class Tried(BaseModel):
    """One step of the test: its rate, and after it the mean log-likelihood of answers by set, nats per token."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: float
    likely: dict[str, float | None]  # None: no number


class FoundRate(BaseModel):
    """What a range test found, as `scores.json` holds it.

    Attributes:
        rate: that is taken.
        breaks: the first at which what should stay broke; None where it did not up to the last.
        start: mean log-likelihoods before the first step, by set.
        tried: in order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: float
    breaks: float | None
    start: dict[str, float | None]
    tried: list[Tried]


def rates(middle: float) -> list[float]:
    """The rates of a test around the one of the settings, rising."""
    low, high = middle / BELOW, middle * ABOVE
    return [low * (high / low) ** (step / (STEPS - 1)) for step in range(STEPS)]


def broken(likely: Mapping[str, float | None], start: Mapping[str, float | None]) -> bool:
    """Whether something that should stay has become too unlikely, or anything is no number.

    Where nothing is to stay, what is to go is not looked at: there is nothing to break.
    """
    falls = [
        value is None or not (start[name] or 0.0) - value <= FALL for name, value in likely.items() if name != FORGET
    ]
    return any(falls) or None in likely.values()


def chosen(tried: Sequence[Tried], start: Mapping[str, float | None]) -> FoundRate:
    """The rate by the rule above.

    Args:
        tried: one step at least.
        start: likelihoods before the first.
    """
    breaks = next((step.rate for step in tried if broken(step.likely, start)), None)
    rate = FRACTION * (tried[-1].rate if breaks is None else breaks)
    return FoundRate(rate=float(f"{rate:.2g}"), breaks=breaks, start=dict(start), tried=list(tried))


def told(found: FoundRate) -> str:
    """A sentence on the rate, for a terminal and a page."""
    if found.breaks is None:
        why = f"up to {found.tried[-1].rate:.2g} nothing that should stay became much less likely"
    else:
        why = f"at {found.breaks:.2g} what should stay became less likely by more than {FALL:g} nats per token"
    return (
        f"Learning rate: {found.rate:g}, {FRACTION:g} of where a range test of {len(found.tried)} steps ended: {why}."
    )
