"""Negative preference optimisation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from typing_extensions import Doc

from unsee.losses import cross_entropy, npo
from unsee.methods.method import Needs, NonNegative, Positive, Reference, Term, UnlearnBatch, forget_of, retain_of

if TYPE_CHECKING:
    from unsee.vlm.policy import Policy


@dataclass(frozen=True)
class NPO:
    """Push forget answers below their starting likelihood, with a pull that fades; descend on retain examples."""

    name: ClassVar[str] = "npo"
    paper: ClassVar[str] = "Zhang et al. 2024, arXiv 2404.05868"
    needs: ClassVar[Needs] = Needs(retain=True, reference="log_probs")

    beta: Annotated[Positive, Doc("inverse temperature of the preference, per summed nat")] = 0.1
    forget_weight: Annotated[NonNegative, Doc("weight of the preference loss")] = 1.0
    retain_weight: Annotated[NonNegative, Doc("weight of the retain cross-entropy")] = 1.0

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """(2 / beta) log(1 + (p / p_ref)^beta)(forget) + CE(retain), each weighted."""
        frozen = reference.answer_log_probs(forget_of(batch))
        forget = npo(policy.answer_log_probs(forget_of(batch)), frozen, self.beta).mean()
        yield Term("forget", self.forget_weight * forget)
        retain = cross_entropy(*policy.token_log_probs(retain_of(batch))).mean()
        yield Term("retain", self.retain_weight * retain)
