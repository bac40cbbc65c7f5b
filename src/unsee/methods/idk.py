"""Fine-tuning on refusals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from typing_extensions import Doc

from unsee.losses.likelihood import cross_entropy
from unsee.methods.method import Needs, NonNegative, Reference, Term, UnlearnBatch, refusals_of, retain_of

if TYPE_CHECKING:
    from unsee.vlm.policy import Policy


@dataclass(frozen=True)
class IDK:
    """Learn to answer the forget questions with a refusal, and the retain questions as before.

    Each forget example has one refusal for the whole run, of a hundred. The two losses are means of their own, so
    that long refusals do not outweigh short retain answers.
    """

    name: ClassVar[str] = "idk"
    paper: ClassVar[str] = "Maini et al. 2024 (TOFU), arXiv 2401.06121"
    needs: ClassVar[Needs] = Needs(retain=True, refusals=True)

    forget_weight: Annotated[NonNegative, Doc("weight of the cross-entropy of refusals")] = 1.0
    retain_weight: Annotated[NonNegative, Doc("weight of the retain cross-entropy")] = 1.0

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """CE(refusals) + CE(retain), each weighted."""
        refusals = cross_entropy(*policy.token_log_probs(refusals_of(batch))).mean()
        yield Term("refusals", self.forget_weight * refusals)
        if self.retain_weight:
            retain = cross_entropy(*policy.token_log_probs(retain_of(batch))).mean()
            yield Term("retain", self.retain_weight * retain)
