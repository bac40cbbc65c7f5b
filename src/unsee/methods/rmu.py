"""Representation misdirection for unlearning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from typing_extensions import Doc

from unsee.losses.steering import pooled_steering, steering
from unsee.methods.method import Fraction, Needs, NonNegative, Reference, Term, UnlearnBatch, forget_of, retain_of

if TYPE_CHECKING:
    from torch import Tensor

    from unsee.vlm.batch import Batch
    from unsee.vlm.policy import HiddenStates, Policy


@dataclass(frozen=True)
class RMU:
    """Steer what the decoder holds of forget examples towards a random direction, and hold that of retain examples.

    The direction is a vector of uniform numbers from 0 to 1 of unit length, drawn once from the seed and kept with the
    run. Every position of a row counts, image and question too (the image tokens carry the face), padding never;
    `positions=answer` takes those that predict the answer alone. Only weights below the layer can move. The variant
    `clear_repo` is what CLEAR's repository computes, there with coefficient 300 and retain_weight 1: positions are
    averaged first and padding with them, the rows of a batch share one length of vector, and each is steered towards
    the vectors of all.
    """

    name: ClassVar[str] = "rmu"
    paper: ClassVar[str] = "Li et al. 2024 (WMDP), arXiv 2403.03218"
    needs: ClassVar[Needs] = Needs(retain=True, reference="distribution")

    depth: Annotated[Fraction, Doc("of the decoder's layers behind which to steer: 0.25 is the 8th of 32")] = 0.25
    coefficient: Annotated[NonNegative, Doc("length of the vector to steer towards, in units of hidden states")] = 6.5
    forget_weight: Annotated[NonNegative, Doc("weight of the steering")] = 1.0
    retain_weight: Annotated[NonNegative, Doc("weight of how far retain states have moved")] = 1200.0
    positions: Annotated[Literal["all", "answer"], Doc("all of a row, or those that predict its answer")] = "all"
    variant: Annotated[Literal["published", "clear_repo"], Doc("as published, or as CLEAR's code does")] = "published"

    def prepare(self, policy: Policy, seed: int, batch_size: int) -> dict[str, Tensor]:
        """The direction of unit length, shape (hidden,); in CLEAR's code one a row, shape (batch, 1, hidden)."""
        import torch

        rows = (batch_size, 1) if self.variant == "clear_repo" else ()
        drawn = torch.rand(*rows, policy.hidden_size, generator=torch.Generator().manual_seed(seed))
        return {"control": drawn / drawn.norm()}

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """mean |h - c u|^2 (forget) + mean |h - h_ref|^2 (retain) over positions and hidden dimensions, weighted."""
        target = self.coefficient * batch.prepared["control"]
        current = self._states(policy, forget_of(batch))
        clear = self.variant == "clear_repo"
        forget = (
            pooled_steering(current.values, target) if clear else steering(current.values, target, current.mask).mean()
        )
        yield Term("forget", self.forget_weight * forget)
        if not self.retain_weight:
            return
        frozen = self._states(reference, retain_of(batch))
        current = self._states(policy, retain_of(batch))
        mask = current.mask.new_ones(current.mask.shape) if clear else current.mask
        yield Term("retain", self.retain_weight * steering(current.values, frozen.values, mask).mean())

    def _states(self, model: Policy | Reference, batch: Batch) -> HiddenStates:
        states = model.hidden_states(batch, self.depth)
        return states.at_answers(batch.labels) if self.positions == "answer" else states
