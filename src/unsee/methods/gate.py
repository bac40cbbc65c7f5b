"""The saliency mask as something to put before the forget terms of any method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from unsee.errors import InputError, UnworkableError
from unsee.types import PARTS, Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unsee.data.example import Example
    from unsee.methods.method import Method

Threshold = Annotated[FiniteFloat, Field(ge=0)]


class Gate(BaseModel):
    """How the mask of MMUnlearner (arXiv 2502.11051) is made: forget gradients pass where F_forget >= gamma F_preserve.

    The vision tower and the projector have one threshold, the language model another, as they have preserve sets of
    their own. A threshold that is not given is `gamma`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["saliency"] = Field(default="saliency", description="which mask")
    gamma: Threshold = Field(
        default=1.0, description="how much the Fisher information of the forget rows must outweigh"
    )
    gamma_vision: Threshold | None = Field(
        default=None, description="of the vision tower and the projector; else gamma"
    )
    gamma_language: Threshold | None = Field(default=None, description="of the language model; else gamma")

    def threshold(self, part: Part) -> float:
        """gamma of one part of the model."""
        own = self.gamma_language if part == "language" else self.gamma_vision
        return self.gamma if own is None else own


def check_preserved(gate: Gate, parts: Sequence[Part], forget: Sequence[Example], kept: Sequence[Example]) -> None:
    """See that a mask has something to protect in every part that the forget rows reach.

    Rows in words alone say nothing about vision tower and projector. Where no other rows are to be kept, the forget
    gradient would pass everywhere there.

    Args:
        gate: thresholds; one of 0 protects nothing by intention.
        parts: where weights may move.
        forget: what is to be forgotten.
        kept: what the mask protects.

    Raises:
        InputError: when nothing that is kept has a picture, and parts that see may move.
    """
    bare = [part for part in PARTS if part in parts and part != "language" and gate.threshold(part) > 0]
    if bare and any(row.image is not None for row in forget) and all(row.image is None for row in kept):
        raise unprotected(bare)


def unprotected(parts: Sequence[Part]) -> UnworkableError:
    """The complaint about parts of which no preserved row says anything."""
    seeing = " and ".join(parts)
    return UnworkableError(
        f"saliency: no row that is to be kept has a picture, so the mask would protect nothing of {seeing}; "
        "give --retain or --preserve rows with pictures, or train --parts language alone"
    )


def gate_of(method: Method, gate: Gate | None = None) -> Gate | None:
    """The gate before a method's forget terms: the one asked for, or the method's own; None for none.

    Raises:
        InputError: when a gate is asked for and the method has one of its own, or has no forget term.
    """
    if method.needs.saliency:
        if gate is not None:
            raise InputError(f"gate: {method.name} has a mask of its own; leave gate out and set its gamma")
        own: Any = getattr(method, "gate", None)
        return own if own is not None else Gate()
    if gate is not None and not method.needs.forget and not method.needs.refusals:
        raise InputError(f"gate: {method.name} has no forget term to put a mask before; leave gate out")
    return gate
