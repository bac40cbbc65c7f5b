"""Settings that have keys of their own, such as `lora.alpha`, and what is short for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from unsee.methods.gate import Gate
from unsee.system import limits

Positive = Annotated[FiniteFloat, Field(gt=0)]
Count = Annotated[int, Field(ge=1, le=limits.STEPS)]


class Lora(BaseModel):
    """Low-rank adapters instead of the weights themselves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: Annotated[int, Field(ge=1, le=limits.RANK)] = Field(default=16, description="inner width of the adapters")
    alpha: Count = Field(default=16, description="what the adapters add is scaled by alpha / rank")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.0, description="of what goes into the adapters")


class L1(BaseModel):
    """The l1 norm of the adapters as a further term of the loss."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: Positive = Field(default=0.01, description="of the norm beside the loss")
    of: Literal["factors", "product"] = Field(
        default="factors", description="sum|A| + sum|B| (factors), or sum|scaling * B A| (product)"
    )


class Guard(BaseModel):
    """When a training is stopped because it breaks what it should hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    drop: Positive = Field(
        default=1.0, description="nats per token by which the watched answers may become less likely"
    )
    every: Count = Field(default=10, description="optimizer steps from one look to the next")
    rows: Count = Field(default=32, description="watched at most")


def as_lora(value: Any) -> Any:
    """A number alone is the rank."""
    return {"rank": value} if isinstance(value, int) and not isinstance(value, bool) else value


def as_l1(value: Any) -> Any:
    """A number alone is the weight."""
    return {"weight": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


def as_guard(value: Any) -> Any:
    """A number alone is the drop."""
    return {"drop": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


def as_gate(value: Any) -> Any:
    """A word alone is the kind."""
    return {"kind": value} if isinstance(value, str) else value


Groups = Mapping[str, tuple[type[BaseModel], Any]]  # by setting: its keys, and what a single value is short for

GROUPS: dict[str, tuple[type[BaseModel], Any]] = {
    "lora": (Lora, as_lora),
    "l1": (L1, as_l1),
    "gate": (Gate, as_gate),
    "guard": (Guard, as_guard),
}
