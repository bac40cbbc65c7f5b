"""MMUnlearner: erase what is known by sight, keep what is known by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from typing_extensions import Doc

from unsee.losses import cross_entropy, gradient_ascent
from unsee.methods.method import Needs, NonNegative, Reference, Term, UnlearnBatch, forget_of, retain_of

if TYPE_CHECKING:
    from unsee.vlm.policy import Policy


@dataclass(frozen=True)
class MMUnlearner:
    """Gradient difference whose ascent passes only through the weights that matter more to forget than to preserve.

    theta <- theta - lr * (-mask * grad CE(forget) + grad CE(retain)), with
    mask = [F_forget >= gamma * F_preserve] per scalar weight, F the diagonal Fisher information at the starting
    weights, and preserve = retain examples with images plus what is known in words about everybody.
    """

    name: ClassVar[str] = "mmunlearner"
    paper: ClassVar[str] = "Huo et al. 2025, arXiv 2502.11051"
    needs: ClassVar[Needs] = Needs(retain=True, saliency=True)

    gamma: Annotated[NonNegative, Doc("how many times the preserve saliency a weight's forget saliency must reach")] = (
        1.0
    )
    forget_weight: Annotated[NonNegative, Doc("weight of the forget ascent")] = 1.0
    retain_weight: Annotated[NonNegative, Doc("weight of the retain cross-entropy")] = 1.0
    ceiling: Annotated[NonNegative, Doc("nats a token above which a forget answer is left alone; 0: never")] = 0.0

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """-CE(forget) through the mask + CE(retain) past it, each weighted."""
        forget = gradient_ascent(*policy.token_log_probs(forget_of(batch)), self.ceiling).mean()
        yield Term("forget", self.forget_weight * forget, gated=True)
        retain = cross_entropy(*policy.token_log_probs(retain_of(batch))).mean()
        yield Term("retain", self.retain_weight * retain)
