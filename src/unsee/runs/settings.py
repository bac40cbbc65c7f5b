"""The description of a run: what is unlearned from which model, how, and where the outcome goes.

The same keys serve the command line (`--set key=value`), a YAML file and Python. Unknown keys are errors that name
the nearest valid one. A run folder's `run.yaml` holds the resolved settings and can be run again. Relative paths in a
YAML file start at its folder, those of flags and of Python where one stands.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from unsee.data.example import Role
from unsee.data.paths import from_address
from unsee.errors import InputError, did_you_mean
from unsee.methods import METHODS, build, find
from unsee.methods.gate import Gate, gate_of
from unsee.metrics.lexicon import COCO
from unsee.system import limits
from unsee.system.files import read_text
from unsee.system.strict import parse_yaml
from unsee.types import PARTS, Part, check_parts

Positive = Annotated[FiniteFloat, Field(gt=0)]
Count = Annotated[int, Field(ge=1, le=limits.STEPS)]
Rows = Annotated[int, Field(ge=1, le=limits.ROWS)]  # per forward pass
Text = Annotated[str, Field(min_length=1)]

DEFAULT_METHOD = "npo"
WHOLE_RATE = 1e-5  # learning rate where the weights themselves move
LORA_RATE = 1e-4  # and where adapters do, which start at nothing and have few directions
EPOCHS = 5.0  # passes over the forget rows, where nobody said
LEAST_STEPS = 50  # or so many optimizer steps, where that is more: of twenty rows, five passes are thirteen
SPAN_PARTS: tuple[Part, ...] = ("projector",)  # where EFUF trains, unless told otherwise
PROBES = ("forget_probes", "keep_probes", "probes")  # settings that name sources by the name of their probe
SOURCES = ("model", "forget", "retain", "preserve", "gold", "after")  # settings that name a path or a hub id
_PROBE_NAME = re.compile(r"[\w-][\w.-]{0,63}")  # it becomes the name of a file
_HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?(:[\w.-]+)?(#[\w.-]+)?")
_DATA_FILE = re.compile(r".*\.(jsonl|json|parquet)(#.*)?", re.IGNORECASE)


def _rate(value: float) -> str:
    return f"{value:.0e}".replace("e-0", "e-")


def _number_or_word(value: Any) -> Any:
    """Hyper-parameters are numbers, but for a few that are names of variants."""
    return value if isinstance(value, str) else TypeAdapter(FiniteFloat).validate_python(value)


HyperValue = Annotated[Any, BeforeValidator(_number_or_word)]


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


def _lists(value: Any) -> Any:
    """One word list is as good as a list of them."""
    return [value] if isinstance(value, str) else value


def _parts(value: Any) -> Any:
    """`vision,language` is as good as a list."""
    return check_parts([part.strip() for part in value.split(",")] if isinstance(value, str) else value)


def _lora(value: Any) -> Any:
    """A number alone is the rank."""
    return {"rank": value} if isinstance(value, int) and not isinstance(value, bool) else value


def _l1(value: Any) -> Any:
    """A number alone is the weight."""
    return {"weight": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


def _guard(value: Any) -> Any:
    """A number alone is the drop."""
    return {"drop": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


def _gate(value: Any) -> Any:
    """A word alone is the kind."""
    return {"kind": value} if isinstance(value, str) else value


_NESTED: dict[str, tuple[type[BaseModel], Any]] = {
    "lora": (Lora, _lora),
    "l1": (L1, _l1),
    "gate": (Gate, _gate),
    "guard": (Guard, _guard),
}


class Settings(BaseModel):
    """Everything that determines a run."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model: Text = Field(description="folder or hub id of the model to change")
    forget: Text = Field(
        description="rows to be forgotten: a JSONL or Parquet file, a folder, or a hub id, FOLDER#SPLIT"
    )
    retain: Text | None = Field(None, description="rows to be kept, for methods that train on them")
    preserve: Text | None = Field(None, description="further rows that a saliency mask protects; never trained on")
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
    lexicon: Annotated[tuple[Text, ...] | None, BeforeValidator(_lists)] = Field(
        None, description="what objects may be called, to find what captions invent: coco, or files of synonyms"
    )
    request: Literal["visual", "textual", "both"] | None = Field(
        None, description="what is to go: faces (what is asked in words stays), text facts (photographs stay) or both"
    )
    method: str = Field(DEFAULT_METHOD, description="as `unsee methods` lists it")
    hyper_parameters: dict[str, HyperValue] = Field({}, description="of the method; its defaults where not given")
    gate: Annotated[Gate | None, BeforeValidator(_gate)] = Field(
        None, description="saliency: let forget gradients through MMUnlearner's mask alone, whatever the method"
    )
    out: Text = Field(description="folder of the run")

    parts: Annotated[tuple[Part, ...], BeforeValidator(_parts)] = Field(
        (),
        description="where weights may move",  # for efuf the projector, as published; else everywhere
    )
    lora: Annotated[Lora | None, BeforeValidator(_lora)] = Field(
        None, description="train low-rank adapters instead of the weights"
    )
    l1: Annotated[L1 | None, BeforeValidator(_l1)] = Field(
        None, description="add the l1 norm of the adapters to the loss, whatever the method; needs lora"
    )
    quantize: Literal["4bit"] | None = Field(
        None, description="round the base to four bits under its adapter; needs lora, and the package bitsandbytes"
    )
    guard: Annotated[Guard | None, BeforeValidator(_guard)] = Field(
        None, description="stop, and keep the last good state, when what is to stay becomes this much less likely"
    )
    learning_rate: Positive = Field(
        WHOLE_RATE, description=f"of AdamW; with lora {_rate(LORA_RATE)}, if it is not given"
    )
    epochs: Annotated[FiniteFloat, Field(gt=0, le=limits.EPOCHS)] | None = Field(
        None,
        description=f"passes over the forget rows; if neither this nor max_steps is given, {EPOCHS:g} or as many as "
        f"make {LEAST_STEPS} steps",
    )
    max_steps: Count | None = Field(None, description="optimizer steps; overrides epochs")
    batch_size: Rows = Field(8, description="forget rows (and as many retain rows) a forward pass")
    gradient_accumulation: Count = Field(1, description="forward passes an optimizer step")
    scheduler: Literal["constant", "linear", "cosine"] = Field("constant", description="of the learning rate")
    warmup_steps: Annotated[int, Field(ge=0, le=limits.STEPS)] = Field(
        0, description="steps until the full learning rate"
    )
    max_grad_norm: Annotated[FiniteFloat, Field(ge=0)] = Field(
        1.0, description="gradients are clipped to it; 0 does not clip"
    )
    saliency_batch_size: Rows = Field(8, description="rows a squared gradient; 1 is the per-example Fisher")
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
    eval_batch_size: Rows = Field(32, description="rows a forward pass when measuring")
    max_new_tokens: Annotated[int, Field(ge=1, le=limits.TOKENS)] | None = Field(
        None,
        description="measured answers are cut there; 128, or half more than a probe's longest answer, if not given",
    )
    trust_remote_code: bool = Field(False, description="run code that comes with the model")

    def resolved(self) -> Settings:
        """With every hyper-parameter of the method, checked, and local paths absolute.

        Raises:
            InputError: for an unknown method or hyper-parameter, one out of range, a gate that the method has no place
                for, or a probe that cannot name a file.
        """
        self._check_probes()
        method: Any = build(self.method, self.hyper_parameters)
        gate_of(method, self.gate)
        sources = {name: _absolute(value) for name in SOURCES if (value := getattr(self, name))}
        if sources.get("gold") == sources["model"]:
            raise InputError(f"gold: {self.gold} is the model itself; give one that never learned what is to go")
        return self.model_copy(
            update={
                **sources,
                **{key: {n: _absolute(path) for n, path in getattr(self, key).items()} for key in PROBES},
                "lexicon": self.lexicon and tuple(_word_list(name) for name in self.lexicon),
                "hyper_parameters": asdict(method),
                "parts": self.parts or (SPAN_PARTS if method.needs.spans else PARTS),
                "guard": self.guard or (Guard() if method.needs.spans else None),
                "out": str(Path(self.out).expanduser()),
            }
        )

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
            if not _PROBE_NAME.fullmatch(name):
                raise InputError(f"{key}: {name!r} cannot name a file; use letters, digits, _, - and .")
            if name in taken:
                raise InputError(f"{key}: {name!r} is among {taken[name]} too; give each probe a name of its own")
            taken[name] = key
        for name in self.trained_on:
            if name not in taken:
                raise InputError(f"trained_on: no probe {name!r}{did_you_mean(name, taken)}")


def _absolute(source: str, folder: Path = Path()) -> str:
    """A local path in full, so that `run.yaml` means the same from any folder; a hub id as it is.

    Args:
        source: a path, `FOLDER:CONFIGURATION`, or a hub id, with `#SPLIT` behind it or without.
        folder: where relative paths start.
    """
    source = from_address(source)
    path = os.path.abspath(folder / Path(source).expanduser())
    whole = path.rpartition("#")[0] if "#" in source and not os.path.exists(path) else path
    place, colon, _ = whole.rpartition(":")
    local = os.path.exists(whole) or (colon and os.path.isdir(place))
    hub_id = _HUB_ID.fullmatch(source) and not _DATA_FILE.fullmatch(source)
    return source if hub_id and not local else path


def _word_list(name: str, folder: Path = Path()) -> str:
    """The path of a word list in full; "coco" is the name of the one that comes along."""
    return name if name == COCO else os.path.abspath(folder / Path(name).expanduser())


def parse(values: Mapping[str, Any], where: str = "settings") -> Settings:
    """Settings from keys and values, resolved.

    Args:
        values: by key, as `Settings` lists them.
        where: what an error message calls them, such as the name of a file.

    Raises:
        InputError: for an unknown key (with the nearest valid one), a missing one, or a value of the wrong kind.
    """
    for key in values:
        if key not in Settings.model_fields:
            raise InputError(f"{where}: unknown key {key!r}{_hint(key, values)}")
    _no_booleans(values, where)
    try:
        return Settings.model_validate(dict(values)).resolved()
    except ValidationError as error:
        raise InputError(f"{where}: {_complaint(error)}") from None


def _no_booleans(values: Mapping[str, Any], where: str) -> None:
    """InputError for true and false where something else belongs; pydantic would take them for 1 and 0."""
    for key, value in values.items():
        inner = value.items() if isinstance(value, Mapping) else ()
        named = [(key, value), *((f"{key}.{name}", held) for name, held in inner)]
        for name, held in named:
            if isinstance(held, bool) and Settings.model_fields[key].annotation is not bool:
                raise InputError(f"{where}: {name}={str(held).lower()}: true and false belong elsewhere; give a value")


def _hint(key: str, values: Mapping[str, Any]) -> str:
    method = METHODS.get(str(values.get("method", DEFAULT_METHOD)))
    if method is not None and key in {field.name for field in fields(method)}:
        return f"; it belongs under hyper_parameters, as in hyper_parameters: {{{key}: {values[key]}}}"
    return did_you_mean(key, Settings.model_fields)


def _complaint(error: ValidationError) -> str:
    """What is wrong with the first value that is, in one line."""
    first = error.errors()[0]
    key = ".".join(map(str, first["loc"]))
    if first["type"] == "missing":
        return f"{key} is missing ({Settings.model_fields[key].description})"
    if first["type"] == "extra_forbidden":  # some settings have keys of their own
        model, _ = _NESTED[str(first["loc"][0])]
        return f"unknown key {key!r}{did_you_mean(str(first['loc'][-1]), model.model_fields)}"
    ours = first.get("ctx", {}).get("error")
    return str(ours) if isinstance(ours, InputError) else f"{key}={first['input']!r}: {first['msg'].lower()}"


def read_yaml(path: Path) -> dict[str, Any]:
    """The keys and values of a YAML file; a run's own `run.yaml` counts, with what it records beside the settings.

    Relative paths start at the file's folder: what it says does not depend on where one stands. A name that is no
    path from there (a hub id) stays as it is.

    Raises:
        InputError: for a missing or broken file.
    """
    values = parse_yaml(read_text(path), str(path))
    settings = values.get("settings", values) if isinstance(values, dict) else values
    if not isinstance(settings, dict):
        found = {type(None): "nothing", str: "words alone", list: "a list"}.get(type(settings), "a single value")
        raise InputError(f"{path}: holds {found} where keys and values are expected, as in model: FOLDER")
    return _beside({str(key): value for key, value in settings.items() if value is not None}, path.parent)


def _beside(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same values with relative paths starting at a folder."""
    for key in SOURCES:
        if isinstance(value := values.get(key), str):
            values[key] = _absolute(value, folder)
    for key in PROBES:
        if isinstance(probes := values.get(key), dict):
            values[key] = {k: _absolute(v, folder) if isinstance(v, str) else v for k, v in probes.items()}
    if isinstance(lists := _lists(values.get("lexicon")), list):
        values["lexicon"] = [_word_list(name, folder) if isinstance(name, str) else name for name in lists]
    if isinstance(out := values.get("out"), str):
        values["out"] = os.path.abspath(folder / Path(out).expanduser())
    return values


def with_assignments(values: Mapping[str, Any], assignments: list[str]) -> dict[str, Any]:
    """Values with `key=value` pairs laid over them, in order.

    A key is a setting (`learning_rate`), one of the adapter's (`lora.alpha`) or the gate's (`gate.gamma`), or a
    hyper-parameter of the method.
    Another method leaves the hyper-parameters behind, since they belong to the one before.

    Raises:
        InputError: when a pair has no `=`, or its key is none of these.
    """
    merged = dict(values)
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        key = key.strip()
        if not equals or not key:
            raise InputError(f"--set {assignment!r}: give key=value, as in --set learning_rate=1e-5")
        group, inner = _place(key, str(merged.get("method", DEFAULT_METHOD)))
        if group:
            held = _NESTED[group][1](merged.get(group)) if group in _NESTED else merged.get(group)
            merged[group] = {**(held if isinstance(held, dict) else {}), inner: _value(text)}
        else:
            if key == "method" and text != merged.get("method", DEFAULT_METHOD):
                merged.pop("hyper_parameters", None)
            merged[key] = text if key in (*SOURCES, "out", "method") and text != "null" else _value(text)
    return merged


def _place(key: str, method: str) -> tuple[str, str]:
    """Under which group of settings a key stands, and its name there; the group is empty for a setting."""
    hyper = [field.name for field in fields(find(method))]
    nested = [f"{group}.{name}" for group, (model, _) in _NESTED.items() for name in model.model_fields]
    if key in hyper:
        return "hyper_parameters", key
    if key in nested:
        group, _, inner = key.partition(".")
        return group, inner
    if key in Settings.model_fields and key != "hyper_parameters":
        return "", key
    hint = did_you_mean(key, [*hyper, *nested, *(Settings.model_fields.keys() - {"hyper_parameters"})])
    raise InputError(f"--set {key}: neither a setting nor a hyper-parameter of {method}{hint}")


def _value(text: str) -> Any:
    """A value as YAML reads it; what is no YAML is a word."""
    try:
        return parse_yaml(text, "--set")
    except InputError:
        return text
