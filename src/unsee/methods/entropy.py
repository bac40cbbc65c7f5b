"""Entropy maximisation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from typing_extensions import Doc

from unsee.losses.divergence import certainty
from unsee.losses.likelihood import cross_entropy
from unsee.methods.method import Needs, NonNegative, Reference, Term, UnlearnBatch, forget_of, retain_of

if TYPE_CHECKING:
    from unsee.vlm.policy import Policy


@dataclass(frozen=True)
class Entropy:
    """Become uncertain at the answers to forget, whatever they are, and descend on retain examples.

    The forget term runs from 1 (certain) to 0 (every word of the vocabulary as likely as any other).
    """

    name: ClassVar[str] = "entropy"
    paper: ClassVar[str] = "Yuan et al. 2024 (ME+GD), arXiv 2410.08109"
    needs: ClassVar[Needs] = Needs(retain=True)

    forget_weight: Annotated[NonNegative, Doc("weight of the divergence from uniform")] = 1.0
    retain_weight: Annotated[NonNegative, Doc("weight of the retain cross-entropy")] = 1.0

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """KL(policy || uniform) / log V (forget) + CE(retain), each weighted."""
        current = policy.answer_logits(forget_of(batch))
        yield Term("forget", self.forget_weight * certainty(current.values, current.mask).mean())
        if self.retain_weight:
            retain = cross_entropy(*policy.token_log_probs(retain_of(batch))).mean()
            yield Term("retain", self.retain_weight * retain)
