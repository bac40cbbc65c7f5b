"""Negative preference optimisation through MMUnlearner's mask: `npo` with `gate: saliency`, under a name of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from typing_extensions import Doc

from unsee.methods.gate import Gate
from unsee.methods.method import Needs, NonNegative
from unsee.methods.npo import NPO


@dataclass(frozen=True)
class GatedNPO(NPO):
    """NPO whose pull passes only through the weights that matter more to forget than to preserve.

    MMUnlearner with a bounded loss in place of its ascent: what is forgotten already pulls no more, so that the step
    goes to what is still remembered and less is broken on the way. The same as `npo` with `gate: saliency`.
    """

    name: ClassVar[str] = "gated_npo"
    paper: ClassVar[str] = "Zhang et al. 2024, arXiv 2404.05868, through the mask of Huo et al. 2025, arXiv 2502.11051"
    needs: ClassVar[Needs] = replace(NPO.needs, saliency=True)

    gamma: Annotated[NonNegative, Doc("how often the preserve saliency a weight's forget saliency must reach")] = 1.0

    @property
    def gate(self) -> Gate:
        """How the mask is made."""
        return Gate(gamma=self.gamma)
