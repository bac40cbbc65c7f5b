"""Every setting of a supervised training: its kind, its default, what it means, and what has to go together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, ValidationError

from unsee.errors import InputError, did_you_mean
from unsee.runs.settings.groups import Count, Groups, Lora, Positive, as_lora
from unsee.runs.settings.model import LORA_RATE, PROBE_NAME, WHOLE_RATE, Rows, Text, as_parts
from unsee.runs.settings.reading import as_value, complaint, no_booleans
from unsee.runs.settings.sources import absolute, as_lists
from unsee.system import limits
from unsee.system.plugins import names_a_file, split_place
from unsee.types import PARTS, Part

Role = Literal["base", "gold"]
SOURCES = ("model", "data", "source", "training")  # settings that name a path or a hub id

EPOCHS, EPOCHS_FROM_NOTHING = 5.0, 40.0  # passes over the rows, where nobody said
RATE_FROM_NOTHING = 1e-3
WARM_UP, LONGEST_WARM_UP = 0.05, 100  # of the steps; at most so many of them


class Until(BaseModel):
    """When a training has come as far as was asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    score: Annotated[FiniteFloat, Field(gt=0, le=1)] = Field(
        default=0.95, description="share of right answers that each of the probes has to reach"
    )
    probes: Annotated[tuple[str, ...], BeforeValidator(as_lists)] = Field(
        default=(),
        description="which; if none are named, all that were given, or those of the benchmark that ask training rows, "
        "or else some training rows",
    )
    every: Count = Field(default=50, description="optimizer steps from one look to the next")
    rows: Count = Field(default=64, description="of each probe that are looked at, always the same, evenly spread")


def as_until(value: Any) -> Any:
    """A number alone is the score."""
    return {"score": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


TRAIN_GROUPS: Groups = {"lora": (Lora, as_lora), "until": (Until, as_until)}


class TrainSettings(BaseModel):
    """Everything that determines a supervised training."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model: Text = Field(description="folder or hub id of the model to train")
    data: Text | None = Field(
        None, description="rows to be learned: a JSONL or Parquet file, a folder, or a hub id, FOLDER#SPLIT"
    )
    benchmark: Text | None = Field(
        None, description="or those of a benchmark, as `unsee benchmark list` names it; needs source and role"
    )
    source: Text | None = Field(None, description="of the benchmark: a folder in the layout of the hub, or a hub id")
    training: Text | None = Field(None, description="repository with the training questions, of mllmu alone")
    split: Text | None = Field(None, description="what is to be forgotten later on; that of the benchmark if not given")
    request: Literal["visual", "textual", "both"] | None = Field(
        None, description="what about it is to go later on; that of the benchmark if not given"
    )
    role: Role | None = Field(None, description="base learns everything, gold all but what is to be forgotten")
    learn_probes: bool = Field(
        False,
        description="learn what the probes of the benchmark ask as well, gold without those of what is to go: for tiny "
        "models that begin with nothing, and cannot follow a question that no training row asks",
    )
    probes: dict[str, Text] = Field({}, description="rows to measure on at the end, by name")
    until: Annotated[Until | None, BeforeValidator(as_until)] = Field(
        None, description="end as soon as the probes are answered this well"
    )
    out: Text = Field(description="folder of the training")

    parts: Annotated[tuple[Part, ...], BeforeValidator(as_parts)] = Field(PARTS, description="where weights may move")
    lora: Annotated[Lora | None, BeforeValidator(as_lora)] = Field(
        None, description="train low-rank adapters instead of the weights"
    )
    merge: bool = Field(False, description="write a plain checkpoint, with the adapter merged into the weights")
    learning_rate: Positive | None = Field(
        None,
        description=f"of AdamW; if not given {WHOLE_RATE:.0e}, with lora {LORA_RATE:.0e}, and {RATE_FROM_NOTHING:.0e} "
        "for weights of a model that knows nothing yet",
    )
    epochs: Annotated[FiniteFloat, Field(gt=0, le=limits.EPOCHS)] | None = Field(
        None,
        description=f"passes over the rows, at most; if not given {EPOCHS:g}, or {EPOCHS_FROM_NOTHING:g} for a model "
        "that knows nothing yet",
    )
    max_steps: Count | None = Field(None, description="optimizer steps, at most; overrides epochs")
    batch_size: Rows = Field(16, description="rows per forward pass")
    gradient_accumulation: Count = Field(1, description="forward passes per optimizer step")
    group_by_length: bool = Field(True, description="let rows of about the same length share a batch")
    scheduler: Literal["constant", "linear", "cosine"] = Field("cosine", description="of the learning rate")
    warmup_steps: Annotated[int, Field(ge=0, le=limits.STEPS)] | None = Field(
        None,
        description=f"steps until the full learning rate; if not given {WARM_UP:.0%} of all, {LONGEST_WARM_UP} at most",
    )
    max_grad_norm: Annotated[FiniteFloat, Field(ge=0)] = Field(
        1.0, description="gradients are clipped to it; 0 does not clip"
    )
    save_steps: Count = Field(200, description="a checkpoint every so many steps")
    keep_checkpoints: bool = Field(False, description="keep the last two checkpoints when the model is written")
    seed: Annotated[int, Field(ge=0, le=limits.SEED)] = Field(0, description="of the order of rows and of adapters")
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="of the weights; what moves is float32 while it is trained, and rounded at the end"
    )
    autocast: bool = Field(
        False, description="compute in bfloat16 in training; always so for half-precision weights that move"
    )
    eval_batch_size: Rows = Field(32, description="rows per forward pass when measuring")
    max_new_tokens: Annotated[int, Field(ge=1, le=limits.TOKENS)] | None = Field(
        None, description="measured answers are cut there; see `unsee settings max_new_tokens`"
    )
    trust_remote_code: bool = Field(False, description="run code that comes with the model")

    def resolved(self) -> TrainSettings:
        """With local paths absolute, and seen to go together.

        Raises:
            InputError: two sources of rows, a benchmark without what it needs, or a probe that cannot name a file.
        """
        self._check_source()
        for name in self.probes:
            if not PROBE_NAME.fullmatch(name):
                raise InputError(f"probes: {name!r} cannot name a file; use letters, digits, _, - and .")
        sources = {name: absolute(value) for name in SOURCES if (value := getattr(self, name))}
        probes = {name: absolute(path) for name, path in self.probes.items()}
        return self.model_copy(
            update={**sources, "probes": probes, "benchmark": _in_full(self.benchmark), "out": _home(self.out)}
        )

    def _check_source(self) -> None:
        if self.data and self.benchmark:
            raise InputError("data and benchmark are both given; train on one of them")
        lacking = [name for name in ("source", "role") if not getattr(self, name)]
        if self.benchmark and lacking:
            raise InputError(
                f"benchmark {self.benchmark}: {' and '.join(lacking)} missing; give --source FOLDER and --role base or "
                "gold"
            )
        for name in () if self.benchmark else ("source", "training", "split", "request", "role", "learn_probes"):
            if getattr(self, name):
                raise InputError(f"{name} belongs to a benchmark, and none is given; add --benchmark NAME")


def _in_full(benchmark: str | None) -> str | None:
    """A name as it is; a place with the whole path of its file."""
    if benchmark is None or not names_a_file(benchmark):
        return benchmark
    file, name = split_place(benchmark, "benchmark")
    return f"{file.absolute()}:{name}"


def _home(out: str) -> str:
    return str(Path(out).expanduser())


def parse(values: Mapping[str, Any], where: str = "settings") -> TrainSettings:
    """Settings of a training from keys and values, resolved.

    Args:
        values: by key, as `TrainSettings` lists them.
        where: what an error message calls them, such as the name of a file.

    Raises:
        InputError: for an unknown key (with the nearest valid one), a missing one, or a value of the wrong kind.
    """
    for key in values:
        if key not in TrainSettings.model_fields:
            raise InputError(f"{where}: unknown key {key!r}{did_you_mean(key, TrainSettings.model_fields)}")
    no_booleans(values, where, TrainSettings)
    try:
        return TrainSettings.model_validate(dict(values)).resolved()
    except ValidationError as error:
        raise InputError(f"{where}: {complaint(error, TrainSettings, TRAIN_GROUPS)}") from None


def with_assignments(values: Mapping[str, Any], assignments: list[str]) -> dict[str, Any]:
    """Values with `key=value` pairs laid over them, in order; a key may be one of a group's, such as `until.rows`.

    Raises:
        InputError: when a pair has no `=`, or its key is none of these.
    """
    merged = dict(values)
    nested = [f"{group}.{name}" for group, (model, _) in TRAIN_GROUPS.items() for name in model.model_fields]
    known = [*TrainSettings.model_fields, *nested]
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        key = key.strip()
        if not equals or not key:
            raise InputError(f"--set {assignment!r}: give key=value, as in --set learning_rate=1e-5")
        if key not in known:
            raise InputError(f"--set {key}: no setting of a training{did_you_mean(key, known)}")
        group, _, inner = key.partition(".")
        if inner:
            held = TRAIN_GROUPS[group][1](merged.get(group))
            merged[group] = {**(held if isinstance(held, dict) else {}), inner: as_value(text)}
        else:
            merged[key] = text if key in (*SOURCES, "out", "benchmark", "split") and text != "null" else as_value(text)
    return merged
