"""Ascent, random answers and a divergence: large language model unlearning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from typing_extensions import Doc

from unsee.losses.divergence import kl_divergence
from unsee.losses.likelihood import cross_entropy, gradient_ascent
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
    from unsee.vlm.policy import Policy


@dataclass(frozen=True)
class LLMU:
    """Ascend on forget examples, answer their questions as other forget examples are, stay close on retain examples.

    The divergence runs from the starting model to the policy, as the authors have it; CLEAR (arXiv 2410.18057) turns
    it round and puts refusals where the random answers are.
    """

    name: ClassVar[str] = "llmu"
    paper: ClassVar[str] = "Yao et al. 2023, arXiv 2310.10683"
    needs: ClassVar[Needs] = Needs(retain=True, mismatched=True, reference="distribution")

    forget_weight: Annotated[NonNegative, Doc("weight of the forget ascent")] = 1.0
    mismatched_weight: Annotated[NonNegative, Doc("weight of the cross-entropy on answers of others")] = 1.0
    kl_weight: Annotated[NonNegative, Doc("weight of KL(reference || policy) on retain")] = 1.0

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """-CE(forget) + CE(mismatched) + KL(reference || policy)(retain), each weighted."""
        forget = gradient_ascent(*policy.token_log_probs(forget_of(batch))).mean()
        yield Term("forget", self.forget_weight * forget)
        others = cross_entropy(*policy.token_log_probs(mismatched_of(batch))).mean()
        yield Term("mismatched", self.mismatched_weight * others)
        if self.kl_weight:
            frozen = reference.answer_logits(retain_of(batch)).values
            current = policy.answer_logits(retain_of(batch))
            yield Term("retain", self.kl_weight * kl_divergence(current.values, frozen, current.mask).mean())
