"""Settings that have keys of their own, such as `lora.alpha`, and what is short for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat

from unsee.errors import InputError
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


def _share(word: str, sign: str) -> Any:
    """A validator: a share from 0 to 1, or one relative to a model, such as "gold+0.05" and "base-0.03"."""

    def read(value: Any) -> Any:
        text = "".join(str(value).split())
        number = text.removeprefix(f"{word}{sign}")
        try:
            fits = 0 <= float(number) <= 1
        except ValueError:
            fits = False
        if not fits:
            raise InputError(f"stop: {value!r} is no share; give a number from 0 to 1, or one as in {word}{sign}0.05")
        return float(number) if number == text else text

    return read


class Stop(BaseModel):
    """When a training is done, by what development rows show; see `unsee.training.stopping`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    forget: Annotated[float | str, BeforeValidator(_share("gold", "+"))] = Field(
        default=0.05,
        description="share of the known forget rows that may still be right, or as in gold+0.05, at most so much more "
        "than gold, which is loaded beside the model to be asked",
    )
    retain: Annotated[float | str, BeforeValidator(_share("base", "-"))] = Field(
        default="base-0.03",
        description="share of the rows to be kept that has to be right, or as in base-0.03, at most so much less than "
        "before",
    )
    every: Count = Field(default=10, description="optimizer steps from one look to the next")
    rows: Count = Field(
        default=50, description="looked at most per set; held out of it where a quarter of it makes eight"
    )

    @property
    def near_gold(self) -> bool:
        """Whether gold's share is the mark."""
        return isinstance(self.forget, str)

    @property
    def below_base(self) -> bool:
        """Whether what is kept is measured from the model before."""
        return isinstance(self.retain, str)

    @property
    def forget_share(self) -> float:
        """Of `forget`, the number."""
        return float(str(self.forget).removeprefix("gold+"))

    @property
    def retain_share(self) -> float:
        """Of `retain`, the number."""
        return float(str(self.retain).removeprefix("base-"))


def as_lora(value: Any) -> Any:
    """A number alone is the rank."""
    return {"rank": value} if isinstance(value, int) and not isinstance(value, bool) else value


def as_l1(value: Any) -> Any:
    """A number alone is the weight."""
    return {"weight": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


def as_guard(value: Any) -> Any:
    """A number alone is the drop."""
    return {"drop": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


def as_stop(value: Any) -> Any:
    """A share alone, or a word such as gold+0.05, is that of the forget rows."""
    return {"forget": value} if isinstance(value, int | float | str) and not isinstance(value, bool) else value


def as_gate(value: Any) -> Any:
    """A word alone is the kind."""
    return {"kind": value} if isinstance(value, str) else value


Groups = Mapping[str, tuple[type[BaseModel], Any]]  # by setting: its keys, and what a single value is short for

GROUPS: dict[str, tuple[type[BaseModel], Any]] = {
    "lora": (Lora, as_lora),
    "l1": (L1, as_l1),
    "gate": (Gate, as_gate),
    "guard": (Guard, as_guard),
    "stop": (Stop, as_stop),
}
