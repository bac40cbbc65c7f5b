"""Gradient difference."""

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
class GradDiff:
    """Ascend on forget examples while descending on retain examples."""

    name: ClassVar[str] = "grad_diff"
    paper: ClassVar[str] = "Liu et al. 2022, arXiv 2203.12817; Maini et al. 2024, arXiv 2401.06121"
    needs: ClassVar[Needs] = Needs(retain=True)

    forget_weight: Annotated[NonNegative, Doc("weight of the forget ascent")] = 1.0
    retain_weight: Annotated[NonNegative, Doc("weight of the retain cross-entropy")] = 1.0
    ceiling: Annotated[NonNegative, Doc("nats per token above which a forget answer is left alone; 0: never")] = 0.0

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """-CE(forget) + CE(retain), each weighted."""
        forget = gradient_ascent(*policy.token_log_probs(forget_of(batch)), self.ceiling).mean()
        yield Term("forget", self.forget_weight * forget)
        if self.retain_weight:
            retain = cross_entropy(*policy.token_log_probs(retain_of(batch))).mean()
            yield Term("retain", self.retain_weight * retain)
