"""Fine-tuning on the retain set alone: forgetting by neglect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from unsee.losses.likelihood import cross_entropy
from unsee.methods.method import Needs, Reference, Term, UnlearnBatch, retain_of

if TYPE_CHECKING:
    from unsee.vlm.policy import Policy


@dataclass(frozen=True)
class RetainFinetune:
    """Train on what is to be kept and never show what is to be forgotten: a control that no method should lose to."""

    name: ClassVar[str] = "retain_finetune"
    paper: ClassVar[str] = "Maini et al. 2024 (TOFU), arXiv 2401.06121"
    needs: ClassVar[Needs] = Needs(forget=False, retain=True)

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """CE(retain)."""
        yield Term("retain", cross_entropy(*policy.token_log_probs(retain_of(batch))).mean())
