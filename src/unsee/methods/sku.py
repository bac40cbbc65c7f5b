"""Selective knowledge negation: learn what is to go, then go the opposite way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from typing_extensions import Doc

from unsee.losses.divergence import kl_divergence
from unsee.losses.likelihood import cross_entropy
from unsee.methods.method import (
    Needs,
    NonNegative,
    Reference,
    Term,
    UnlearnBatch,
    forget_of,
    mismatched_of,
    retain_of,
)

if TYPE_CHECKING:
    from unsee.vlm.change import WeightChange
    from unsee.vlm.policy import Policy


@dataclass(frozen=True)
class SKU:
    """Train on what is to be forgotten and nothing else, then subtract from the weights what that has changed.

    First stage, three terms: the forget answers are learnt harder (guided distortion), the forget questions are
    answered as other forget examples are (random disassociation), and the distributions on retain examples are driven
    away from the starting model's (preservation divergence), so that what is shared with them is not subtracted.
    Second stage: theta = theta_0 - scale * (theta_trained - theta_0). The terms show the first stage, so the forget
    loss falls. Low-rank adapters are negated as what they add to their layers.
    """

    name: ClassVar[str] = "sku"
    paper: ClassVar[str] = "Liu et al. 2024, arXiv 2402.10058"
    needs: ClassVar[Needs] = Needs(retain=True, mismatched=True, reference="distribution", start=True)

    forget_weight: Annotated[NonNegative, Doc("weight of the forget cross-entropy (guided distortion)")] = 2.5
    mismatched_weight: Annotated[NonNegative, Doc("weight of the cross-entropy on answers of others")] = 1.0
    retain_weight: Annotated[NonNegative, Doc("weight of -KL(reference || policy) on retain")] = 0.5
    scale: Annotated[NonNegative, Doc("how much of what was trained is subtracted from the starting weights")] = 1.0

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """CE(forget) + CE(mismatched) - KL(reference || policy)(retain), each weighted; then the change is negated."""
        forget = cross_entropy(*policy.token_log_probs(forget_of(batch))).mean()
        yield Term("forget", self.forget_weight * forget)
        others = cross_entropy(*policy.token_log_probs(mismatched_of(batch))).mean()
        yield Term("mismatched", self.mismatched_weight * others)
        if self.retain_weight:
            frozen = reference.answer_logits(retain_of(batch)).values
            current = policy.answer_logits(retain_of(batch))
            yield Term("retain", -self.retain_weight * kl_divergence(current.values, frozen, current.mask).mean())

    def finish(self, change: WeightChange, seed: int) -> None:
        """theta_0 - scale * (theta_trained - theta_0)."""
        change.scale(-self.scale)
