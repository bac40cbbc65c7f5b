"""SCRUB: a student that disobeys its teacher on what is to go, and obeys on the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_types import Ge
from typing_extensions import Doc

from unsee.losses.divergence import kl_divergence
from unsee.losses.likelihood import cross_entropy
from unsee.methods.method import Needs, NonNegative, Reference, Term, UnlearnBatch, forget_of, retain_of

if TYPE_CHECKING:
    from unsee.vlm.policy import Policy


@dataclass(frozen=True)
class SCRUB:
    """Move away from the starting model on forget examples, and stay with it (and the answers) on retain examples.

    The divergence is KL(teacher || student), the teacher being the starting model. The original takes turns: an epoch
    that descends on retain examples (min), an epoch that ascends on forget examples (max), and min epochs alone after
    `max_epochs` of the latter. An epoch is a pass over the forget set here, and the first one is a min epoch, where
    the original begins with a max epoch: at the very start student and teacher agree, and the divergence has no
    gradient but rounding errors. `joint` takes both in every step, as CLEAR does (arXiv 2410.18057).
    """

    name: ClassVar[str] = "scrub"
    paper: ClassVar[str] = "Kurmanji et al. 2023, arXiv 2302.09880"
    needs: ClassVar[Needs] = Needs(retain=True, reference="distribution")

    schedule: Annotated[Literal["alternating", "joint"], Doc("min and max epochs in turn, or both in every step")] = (
        "alternating"
    )
    max_epochs: Annotated[int, Ge(0), Doc("how many max epochs there are when they alternate; min epochs follow")] = 2
    forget_weight: Annotated[NonNegative, Doc("weight of -KL(teacher || student) on forget")] = 1.0
    kl_weight: Annotated[NonNegative, Doc("weight of KL(teacher || student) on retain")] = 1.0
    retain_weight: Annotated[NonNegative, Doc("weight of the retain cross-entropy")] = 1.0

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """-KL(teacher || student)(forget), and KL(teacher || student)(retain) + CE(retain), each weighted."""
        keeps = self.kl_weight or self.retain_weight  # without, every epoch is a max epoch
        joint, turn = self.schedule == "joint" or not keeps, batch.epoch % 2 == 1 and batch.epoch // 2 < self.max_epochs
        if joint or turn:
            frozen = reference.answer_logits(forget_of(batch)).values
            current = policy.answer_logits(forget_of(batch))
            yield Term("forget", -self.forget_weight * kl_divergence(current.values, frozen, current.mask).mean())
        if keeps and (joint or not turn):
            frozen = reference.answer_logits(retain_of(batch)).values
            current = policy.answer_logits(retain_of(batch))
            divergence = kl_divergence(current.values, frozen, current.mask).mean()
            answers = cross_entropy(*current.token_log_probs(retain_of(batch).labels)).mean()
            yield Term("retain", self.kl_weight * divergence + self.retain_weight * answers)
