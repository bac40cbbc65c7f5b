"""Gradient ascent held by a divergence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from typing_extensions import Doc

from unsee.losses import gradient_ascent, kl_divergence
from unsee.methods.method import Needs, NonNegative, Reference, Term, UnlearnBatch, forget_of, retain_of

if TYPE_CHECKING:
    from unsee.vlm.policy import Policy


@dataclass(frozen=True)
class KL:
    """Ascend on forget examples while staying close to the starting model on retain examples, at their answers."""

    name: ClassVar[str] = "kl"
    paper: ClassVar[str] = "Maini et al. 2024 (TOFU, KL minimisation), arXiv 2401.06121"
    needs: ClassVar[Needs] = Needs(retain=True, reference="distribution")

    forget_weight: Annotated[NonNegative, Doc("weight of the forget ascent")] = 1.0
    kl_weight: Annotated[NonNegative, Doc("weight of KL(reference || policy) on retain")] = 1.0

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """-CE(forget) + KL(reference || policy)(retain), each weighted."""
        forget = gradient_ascent(*policy.token_log_probs(forget_of(batch))).mean()
        yield Term("forget", self.forget_weight * forget)
        frozen = reference.answer_logits(retain_of(batch))
        current = policy.answer_logits(retain_of(batch))
        yield Term("retain", self.kl_weight * kl_divergence(current.values, frozen.values, current.mask).mean())
