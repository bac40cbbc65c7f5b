"""The saliency mask as something to put before the forget terms of any method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from unsee.errors import InputError

if TYPE_CHECKING:
    from unsee.methods.method import Method
    from unsee.parts import Part

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
