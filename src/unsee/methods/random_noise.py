"""Noise in the weights: damage without direction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from typing_extensions import Doc

from unsee.methods.method import Needs, NonNegative, Reference, Term, UnlearnBatch

if TYPE_CHECKING:
    from unsee.vlm.change import WeightChange
    from unsee.vlm.policy import Policy


@dataclass(frozen=True)
class RandomNoise:
    """Move the weights by normal noise and train nothing: a control of what any move of that length does.

    With the length by which another method has moved the same weights, it tells forgetting from damage.
    """

    name: ClassVar[str] = "random_noise"
    paper: ClassVar[str] = "a control; noise as in Golatkar et al. 2020, arXiv 1911.04933, without their direction"
    needs: ClassVar[Needs] = Needs(forget=False)

    norm: Annotated[NonNegative, Doc("l2 length of the move, over all weights that may move together")] = 1.0

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """Nothing; theta = theta_0 + norm * z / |z| with z normal."""
        return iter(())

    def finish(self, change: WeightChange, seed: int) -> None:
        """Add the noise, the same for the same seed."""
        change.add_noise(self.norm, seed)
