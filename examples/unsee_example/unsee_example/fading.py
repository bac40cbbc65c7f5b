"""Gradient difference whose ascent fades: unsee unlearn ... --method fading."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from typing_extensions import Doc

from unsee.losses.likelihood import cross_entropy, gradient_ascent
from unsee.methods.method import Needs, NonNegative, Reference, Term, UnlearnBatch, forget_of, retain_of

if TYPE_CHECKING:
    from unsee.vlm.policy import Policy


@dataclass(frozen=True)
class Fading:
    """Ascend on forget answers less and less as the run goes on, so that its end repairs; descend on retain."""

    name: ClassVar[str] = "fading"
    paper: ClassVar[str] = "unpublished: an example"
    needs: ClassVar[Needs] = Needs(retain=True)

    forget_weight: Annotated[NonNegative, Doc("weight of the ascent at the first step; 0 after the last")] = 1.0

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """(1 - step / steps) * -CE(forget), weighted, + CE(retain)."""
        left = 1 - batch.step / batch.steps
        ascent = gradient_ascent(*policy.token_log_probs(forget_of(batch))).mean()
        yield Term("forget", self.forget_weight * left * ascent)
        yield Term("retain", cross_entropy(*policy.token_log_probs(retain_of(batch))).mean())
