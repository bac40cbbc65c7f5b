"""Gradient ascent held by a divergence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from typing_extensions import Doc

from unsee.losses.divergence import kl_divergence
from unsee.losses.likelihood import gradient_ascent
from unsee.methods.method import Needs, NonNegative, Reference, Term, UnlearnBatch, forget_of, retain_of

if TYPE_CHECKING:
    from unsee.vlm.policy import Policy


@dataclass(frozen=True)
class KL:
    """Ascend on forget examples while staying close to the starting model on retain examples, at their answers.

    The variant `clear_repo` is what CLEAR's repository computes: the mean divergence over all positions of the retain
    rows, question, image tokens and padding too, among which those of the answers are few.
    """

    name: ClassVar[str] = "kl"
    paper: ClassVar[str] = "Maini et al. 2024 (TOFU, KL minimisation), arXiv 2401.06121"
    needs: ClassVar[Needs] = Needs(retain=True, reference="distribution")

    forget_weight: Annotated[NonNegative, Doc("weight of the forget ascent")] = 1.0
    kl_weight: Annotated[NonNegative, Doc("weight of KL(reference || policy) on retain")] = 1.0
    variant: Annotated[Literal["published", "clear_repo"], Doc("at the answers, or as in CLEAR's code everywhere")] = (
        "published"
    )

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """-CE(forget) + KL(reference || policy)(retain), each weighted."""
        forget = gradient_ascent(*policy.token_log_probs(forget_of(batch))).mean()
        yield Term("forget", self.forget_weight * forget)
        if not self.kl_weight:
            return
        rows = retain_of(batch)
        if self.variant == "clear_repo":
            frozen, current = reference.all_logits(rows), policy.all_logits(rows)
            divergence = kl_divergence(current, frozen, current.new_ones(current.shape[:2]))
        else:
            frozen, (current, mask) = reference.answer_logits(rows).values, policy.answer_logits(rows)
            divergence = kl_divergence(current, frozen, mask)
        yield Term("retain", self.kl_weight * divergence.mean())
