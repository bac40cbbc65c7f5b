"""A method in a file of your own, used by name: unsee unlearn ... --method examples/hinge.py:Hinge."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from typing_extensions import Doc

from unsee.losses.likelihood import answer_mean, cross_entropy
from unsee.methods.method import Needs, NonNegative, Positive, Reference, Term, UnlearnBatch, forget_of, retain_of
from unsee.vlm.policy import Policy


@dataclass(frozen=True)
class Hinge:
    """Push forget answers down with full strength until they are unlikely enough, then let go; descend on retain."""

    name: ClassVar[str] = "hinge"
    paper: ClassVar[str] = "unpublished: an example"
    needs: ClassVar[Needs] = Needs(retain=True)

    floor: Annotated[Positive, Doc("nats per token below certainty at which an answer is let go")] = 4.0
    forget_weight: Annotated[NonNegative, Doc("weight of the forget hinge")] = 1.0
    retain_weight: Annotated[NonNegative, Doc("weight of the retain cross-entropy")] = 1.0

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """max(0, floor + log p / |y|)(forget) + CE(retain), each weighted."""
        mean = answer_mean(*policy.token_log_probs(forget_of(batch)))  # (batch,), nats per token
        yield Term("forget", self.forget_weight * (self.floor + mean).clamp(min=0).mean())
        if self.retain_weight:
            retain = cross_entropy(*policy.token_log_probs(retain_of(batch))).mean()
            yield Term("retain", self.retain_weight * retain)
