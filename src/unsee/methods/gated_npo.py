"""Negative preference optimisation through MMUnlearner's mask."""

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
class GatedNPO:
    """NPO whose pull passes only through the weights that matter more to forget than to preserve.

    MMUnlearner with a bounded loss in place of its ascent: what is forgotten already pulls no more, so that the step
    goes to what is still remembered and less is broken on the way.
    """

    name: ClassVar[str] = "gated_npo"
    paper: ClassVar[str] = "Zhang et al. 2024, arXiv 2404.05868, through the mask of Huo et al. 2025, arXiv 2502.11051"
    needs: ClassVar[Needs] = Needs(retain=True, reference="log_probs", saliency=True)

    beta: Annotated[Positive, Doc("inverse temperature of the preference, per summed nat")] = 0.1
    gamma: Annotated[NonNegative, Doc("how often the preserve saliency a weight's forget saliency must reach")] = 1.0
    forget_weight: Annotated[NonNegative, Doc("weight of the preference loss")] = 1.0
    retain_weight: Annotated[NonNegative, Doc("weight of the retain cross-entropy")] = 1.0

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """(2 / beta) log(1 + (p / p_ref)^beta)(forget) through the mask + CE(retain) past it, each weighted."""
        frozen = reference.answer_log_probs(forget_of(batch))
        forget = npo(policy.answer_log_probs(forget_of(batch)), frozen, self.beta).mean()
        yield Term("forget", self.forget_weight * forget, gated=True)
        retain = cross_entropy(*policy.token_log_probs(retain_of(batch))).mean()
        yield Term("retain", self.retain_weight * retain)
