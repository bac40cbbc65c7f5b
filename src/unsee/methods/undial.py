"""Self-distillation with adjusted logits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from typing_extensions import Doc

from unsee.losses.divergence import self_distillation
from unsee.losses.likelihood import cross_entropy
from unsee.methods.method import Needs, NonNegative, Reference, Term, UnlearnBatch, forget_of, retain_of

if TYPE_CHECKING:
    from unsee.vlm.policy import Policy


@dataclass(frozen=True)
class UNDIAL:
    """Learn what the starting model would say if it knew the forget answers less well.

    As published there is no retain loss; the starting model's own distribution holds the rest. A `retain_weight` above
    0 adds one.
    """

    name: ClassVar[str] = "undial"
    paper: ClassVar[str] = "Dong et al. 2025, arXiv 2402.10052"
    needs: ClassVar[Needs] = Needs(retain=True, reference="distribution")

    strength: Annotated[NonNegative, Doc("how far the logits of the true tokens are lowered")] = 10.0
    forget_weight: Annotated[NonNegative, Doc("weight of the distillation")] = 1.0
    retain_weight: Annotated[NonNegative, Doc("weight of the retain cross-entropy")] = 0.0

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """CE(softmax(z_ref - strength [true token]), policy)(forget) + CE(retain), each weighted."""
        labels, frozen = forget_of(batch).labels, reference.answer_logits(forget_of(batch)).values
        current = policy.answer_logits(forget_of(batch))
        forget = self_distillation(current.values, frozen, labels, current.mask, self.strength).mean()
        yield Term("forget", self.forget_weight * forget)
        if self.retain_weight:
            retain = cross_entropy(*policy.token_log_probs(retain_of(batch))).mean()
            yield Term("retain", self.retain_weight * retain)
