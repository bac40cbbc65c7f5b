"""MMUnlearner: erase what is known by sight, keep what is known by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_types import Ge
from typing_extensions import Doc

from unsee.losses.likelihood import cross_entropy, gradient_ascent
from unsee.methods.gate import Gate
from unsee.methods.method import Needs, NonNegative, Reference, Term, UnlearnBatch, forget_of, retain_of

if TYPE_CHECKING:
    from unsee.vlm.policy import Policy

Threshold = NonNegative | Literal["gamma"]


@dataclass(frozen=True)
class MMUnlearner:
    """Gradient difference whose ascent passes only through the weights that matter more to forget than to preserve.

    theta <- theta - lr * (-mask * grad CE(forget) + grad CE(retain)), with
    mask = [F_forget >= gamma * F_preserve] per scalar weight, F the diagonal Fisher information at the starting
    weights. Preserved are, for vision tower and projector, the retain examples with images; for the language model
    what is known in words about everybody as well.

    The published step is the sum. The authors' code takes turns instead: a forget step, then as many retain steps as
    there are retain batches for a forget batch, all with one optimizer, whose momentum then carries the retain
    direction through forget steps. Each step draws its own batch of either set, so that turns see a set more slowly.
    """

    name: ClassVar[str] = "mmunlearner"
    paper: ClassVar[str] = "Huo et al. 2025, arXiv 2502.11051"
    needs: ClassVar[Needs] = Needs(retain=True, saliency=True)

    gamma: Annotated[NonNegative, Doc("how many times the preserve saliency a weight's forget saliency must reach")] = (
        1.0
    )
    gamma_vision: Annotated[Threshold, Doc("the same for vision tower and projector; gamma: as gamma")] = "gamma"
    gamma_language: Annotated[Threshold, Doc("the same for the language model; gamma: as gamma")] = "gamma"
    forget_weight: Annotated[NonNegative, Doc("weight of the forget ascent")] = 1.0
    retain_weight: Annotated[NonNegative, Doc("weight of the retain cross-entropy")] = 1.0
    ceiling: Annotated[NonNegative, Doc("nats per token above which a forget answer is left alone; 0: never")] = 0.0
    updates: Annotated[Literal["summed", "alternating"], Doc("forget and retain in one step, or in turn")] = "summed"
    retain_steps: Annotated[int, Ge(1), Doc("retain steps after each forget step, when they alternate")] = 1

    @property
    def gate(self) -> Gate:
        """How the mask is made."""
        vision, language = (None if g == "gamma" else g for g in (self.gamma_vision, self.gamma_language))
        return Gate(gamma=self.gamma, gamma_vision=vision, gamma_language=language)

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """-CE(forget) through the mask + CE(retain) past it, each weighted; or one of the two, in turn."""
        summed, turn = self.updates == "summed" or not self.retain_weight, batch.step % (1 + self.retain_steps)
        if summed or turn == 0:
            forget = gradient_ascent(*policy.token_log_probs(forget_of(batch)), self.ceiling).mean()
            yield Term("forget", self.forget_weight * forget)
        if self.retain_weight and (summed or turn > 0):
            retain = cross_entropy(*policy.token_log_probs(retain_of(batch))).mean()
            yield Term("retain", self.retain_weight * retain)
