"""Every setting of a run: its kind, its default, what it means, and what has to go together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    PrivateAttr,
    TypeAdapter,
    model_validator,
)

from unsee.data.example import Role
from unsee.errors import InputError, did_you_mean
from unsee.methods import Method, MethodCard, build, card_of
from unsee.methods.gate import Gate, gate_of
from unsee.methods.registry import in_full
from unsee.runs.settings.groups import (
    L1,
    Count,
    Guard,
    Lora,
    Positive,
    Stop,
    as_gate,
    as_guard,
    as_l1,
    as_lora,
    as_stop,
)
from unsee.runs.settings.sources import absolute, as_lists, word_list
from unsee.system import limits
from unsee.types import PARTS, Part, check_parts

Rows = Annotated[int, Field(ge=1, le=limits.ROWS)]  # per forward pass
Text = Annotated[str, Field(min_length=1)]

DEFAULT_METHOD = "npo"
WHOLE_RATE = 1e-5  # learning rate where the weights themselves move
LORA_RATE = 1e-4  # and where adapters do, which start at nothing and have few directions
EPOCHS = 5.0  # passes over the forget rows, where nobody said
STOP_EPOCHS, STOP_STEPS = 20.0, 300  # with `stop`, which ends it earlier: at most so many passes, or steps if more
LEAST_STEPS = 50  # or so many optimizer steps, where that is more: of twenty rows, five passes are thirteen
SPAN_PARTS: tuple[Part, ...] = ("projector",)  # where EFUF trains, unless told otherwise
PROBES = ("forget_probes", "keep_probes", "probes")  # settings that name sources by the name of their probe
SOURCES = ("model", "forget", "retain", "preserve", "gold", "after")  # settings that name a path or a hub id
PROBE_NAME = re.compile(r"[\w-][\w.-]{0,63}")  # it becomes the name of a file


def _rate(value: float) -> str:
    return f"{value:.0e}".replace("e-0", "e-")


def _number_or_word(value: Any) -> Any:
    """Hyper-parameters are numbers, but for a few that are names of variants."""
    return value if isinstance(value, str) else TypeAdapter(FiniteFloat).validate_python(value)


HyperValue = Annotated[Any, BeforeValidator(_number_or_word)]


def as_parts(value: Any) -> Any:
    """`vision,language` is as good as a list."""
    return check_parts([part.strip() for part in value.split(",")] if isinstance(value, str) else value)


class Settings(BaseModel):
    """Everything that determines a run."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model: Text = Field(description="folder or hub id of the model to change")
    forget: Text = Field(
        description="rows to be forgotten: a JSONL or Parquet file, a folder, or a hub id, FOLDER#SPLIT"
    )
    retain: Text | None = Field(None, description="rows to be kept, for methods that train on them")
    preserve: Text | None = Field(
        None, description="further rows that a saliency mask protects; trained on with retain_preserved alone"
    )
    probes: dict[str, Text] = Field(
        {}, description="held-out rows to measure on, by name; what each is for is found from the subjects of its rows"
    )
    forget_probes: dict[str, Text] = Field({}, description="held-out rows whose answers are to go, by name")
    keep_probes: dict[str, Text] = Field({}, description="held-out rows whose answers are to stay, by name")
    gold: Text | None = Field(
        None, description="model that never learned what is to go, or a folder of its records, to measure beside"
    )
    after: Text | None = Field(
        None, description="folder of an earlier run: what it removed is asked again, to see what comes back"
    )
    trained_on: tuple[str, ...] = Field((), description="probes that repeat training rows, which every table then says")
    lexicon: Annotated[tuple[Text, ...] | None, BeforeValidator(as_lists)] = Field(
        None, description="what objects may be called, to find what captions hallucinate: coco, or files of synonyms"
    )
    request: Literal["visual", "textual", "both"] | None = Field(
        None, description="what is to go: faces (what is asked in words stays), text facts (photographs stay) or both"
    )
    method: str = Field(DEFAULT_METHOD, description="as `unsee methods` lists it, or path/to/file.py:Class")
    hyper_parameters: dict[str, HyperValue] = Field({}, description="of the method; its defaults where not given")
    gate: Annotated[Gate | None, BeforeValidator(as_gate)] = Field(
        None, description="saliency: let forget gradients through MMUnlearner's mask alone, whatever the method"
    )
    out: Text = Field(description="folder of the run")

    parts: Annotated[tuple[Part, ...], BeforeValidator(as_parts)] = Field(
        (),
        description="where weights may move",  # for efuf the projector, as published; else everywhere
    )
    lora: Annotated[Lora | None, BeforeValidator(as_lora)] = Field(
        None, description="train low-rank adapters instead of the weights"
    )
    l1: Annotated[L1 | None, BeforeValidator(as_l1)] = Field(
        None, description="add the l1 norm of the adapters to the loss, whatever the method; needs lora"
    )
    quantize: Literal["4bit"] | None = Field(
        None, description="round the base to four bits under its adapter; needs lora, and the package bitsandbytes"
    )
    guard: Annotated[Guard | None, BeforeValidator(as_guard)] = Field(
        None, description="stop, and keep the last good state, when what is to stay becomes this much less likely"
    )
    stop: Annotated[Stop | None, BeforeValidator(as_stop)] = Field(
        None, description="end the training, and keep the nearest state, when development rows show what is asked for"
    )
    retain_preserved: bool = Field(
        False, description="train on the preserve rows too, as further retain rows, where the method trains on those"
    )
    learning_rate: Positive = Field(
        WHOLE_RATE, description=f"of AdamW; with lora {_rate(LORA_RATE)}, if it is not given"
    )
    find_rate: bool = Field(
        False,
        description="find the learning rate by a short range test at the starting weights, which begins at a tenth of "
        "learning_rate and ends at a thousand times it; with stop, the rate then follows what the looks show",
    )
    epochs: Annotated[FiniteFloat, Field(gt=0, le=limits.EPOCHS)] | None = Field(
        None,
        description=f"passes over the forget rows; if neither this nor max_steps is given, {EPOCHS:g} or as many as "
        f"make {LEAST_STEPS} steps, with stop {STOP_EPOCHS:g} and {STOP_STEPS} at most",
    )
    max_steps: Count | None = Field(None, description="optimizer steps; overrides epochs")
    batch_size: Rows = Field(8, description="forget rows (and as many retain rows) per forward pass")
    gradient_accumulation: Count = Field(1, description="forward passes per optimizer step")
    scheduler: Literal["constant", "linear", "cosine"] = Field("constant", description="of the learning rate")
    warmup_steps: Annotated[int, Field(ge=0, le=limits.STEPS)] = Field(
        0, description="steps until the full learning rate"
    )
    max_grad_norm: Annotated[FiniteFloat, Field(ge=0)] = Field(
        1.0, description="gradients are clipped to it; 0 does not clip"
    )
    saliency_batch_size: Rows = Field(8, description="rows per squared gradient; 1 is the per-example Fisher")
    save_steps: Count = Field(50, description="a checkpoint every so many steps")
    keep_checkpoints: bool = Field(
        False, description="keep the last two checkpoints, with their optimizers, when the model is written"
    )
    seed: Annotated[int, Field(ge=0, le=limits.SEED)] = Field(0, description="of the order of rows and of dropout")
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="of the weights; what moves is float32 while it is trained, and rounded at the end"
    )
    autocast: bool = Field(
        False, description="compute in bfloat16 in training; always so for half-precision weights that move"
    )
    eval_batch_size: Rows = Field(32, description="rows per forward pass when measuring")
    max_new_tokens: Annotated[int, Field(ge=1, le=limits.TOKENS)] | None = Field(
        None,
        description="measured answers are cut there; 128, or half more than a probe's longest answer, if not given",
    )
    trust_remote_code: bool = Field(False, description="run code that comes with the model")

    _card: MethodCard | None = PrivateAttr(None)  # of a run that is read: what it has kept

    def resolved(self, card: MethodCard | None = None) -> Settings:
        """With every hyper-parameter of the method, checked, and local paths absolute.

        Args:
            card: what a run has kept of its method. Its hyper-parameters were checked then, and no code is run now.

        Raises:
            InputError: for an unknown method or hyper-parameter, one out of range, a gate that the method has no place
                for, or a probe that cannot name a file.
        """
        self._check_probes()
        values = self.hyper_parameters
        if card is None:
            method: Any = self.built_method
            gate_of(method, self.gate)
            values = asdict(method)
        sources = {name: absolute(value) for name in SOURCES if (value := getattr(self, name))}
        if sources.get("gold") == sources["model"]:
            raise InputError(f"gold: {self.gold} is the model itself; give one that never learned what is to go")
        resolved = super().model_copy(  # which keeps the method that was built: its own hyper-parameters are filled in
            update={
                **sources,
                "method": in_full(self.method),
                **{key: {n: absolute(path) for n, path in getattr(self, key).items()} for key in PROBES},
                "lexicon": self.lexicon and tuple(word_list(name) for name in self.lexicon),
                "hyper_parameters": values,
                "parts": self.parts or (SPAN_PARTS if (card or self.card).needs.spans else PARTS),
                "guard": self.guard or (Guard() if (card or self.card).needs.spans else None),
                "out": str(Path(self.out).expanduser()),
            }
        )
        resolved._card = card
        return resolved

    @cached_property
    def built_method(self) -> Method:
        """The method with its hyper-parameters; built once, and the same one wherever a run needs it.

        Raises:
            InputError: for an unknown method or hyper-parameter, or one out of range.
        """
        return build(self.method, self.hyper_parameters)

    @property
    def card(self) -> MethodCard:
        """The method's own name, its paper and its needs."""
        return self._card or card_of(self.built_method, self.method)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy; one with another method, or other hyper-parameters, will build its own."""
        copied = super().model_copy(update=update, deep=deep)
        if update and not update.keys().isdisjoint(("method", "hyper_parameters")):
            copied.__dict__.pop("built_method", None)
            copied._card = None
        return copied

    @model_validator(mode="before")
    @classmethod
    def _rate_of_what_moves(cls, values: Any) -> Any:
        """Adapters take a larger rate than weights."""
        if isinstance(values, dict) and values.get("lora") is not None and values.get("learning_rate") is None:
            return {**values, "learning_rate": LORA_RATE}
        return values

    @property
    def every_probe(self) -> dict[str, tuple[str, Role | None]]:
        """All probes by name: where the rows are, and what they are for where that is said."""
        roles: dict[str, Role | None] = {"forget_probes": "forget", "keep_probes": "keep", "probes": None}
        return {name: (path, roles[key]) for key in PROBES for name, path in getattr(self, key).items()}

    def _check_probes(self) -> None:
        """InputError for a name that cannot be a file's, that two probes have, or that no probe has."""
        names = [(key, name) for key in PROBES for name in getattr(self, key)]
        taken: dict[str, str] = {}
        for key, name in names:
            if not PROBE_NAME.fullmatch(name):
                raise InputError(f"{key}: {name!r} cannot name a file; use letters, digits, _, - and .")
            if name in taken:
                raise InputError(f"{key}: {name!r} is among {taken[name]} too; give each probe a name of its own")
            taken[name] = key
        for name in self.trained_on:
            if name not in taken:
                raise InputError(f"trained_on: no probe {name!r}{did_you_mean(name, taken)}")
