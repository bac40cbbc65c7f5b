"""The description of a run: what is unlearned from which model, how, and where the outcome goes.

The same keys serve the command line (`--set key=value`), a YAML file and Python. Unknown keys are errors that name
the nearest valid one. A run folder's `run.yaml` holds the resolved settings and can be run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from unsee.errors import InputError, did_you_mean
from unsee.files import read_text
from unsee.methods import build, find
from unsee.parts import Part, check_parts

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Lora(BaseModel):
    """Low-rank adapters instead of the weights themselves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: Count = 16
    alpha: Count = 16
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Settings(BaseModel):
    """Everything that determines a run."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model: str = Field(description="folder or hub id of the model to change")
    forget: str = Field(description="rows to be forgotten: a JSONL or Parquet file, a folder, or a hub id")
    retain: str | None = Field(None, description="rows to be kept, for methods that train on them")
    preserve: str | None = Field(None, description="further rows that a saliency mask protects; never trained on")
    probes: dict[str, str] = Field({}, description="held-out rows to measure on, by name")
    request: Literal["visual", "textual", "both"] | None = Field(
        None, description="what is to go: faces (forget_qa probes stay), text facts (forget_vqa probes stay) or both"
    )
    method: str = Field("npo", description="as `unsee methods` lists it")
    hyper_parameters: dict[str, float] = Field({}, description="of the method, where they differ from its defaults")
    out: str = Field(description="folder of the run")

    parts: tuple[Part, ...] = Field(("vision", "projector", "language"), description="where weights may move")
    lora: Lora | None = Field(None, description="train low-rank adapters instead of the weights")
    learning_rate: Positive = Field(1e-5, description="of AdamW")
    epochs: Positive = Field(5.0, description="passes over the forget rows")
    max_steps: Count | None = Field(None, description="optimizer steps; overrides epochs")
    batch_size: Count = Field(8, description="forget rows (and as many retain rows) a forward pass")
    gradient_accumulation: Count = Field(1, description="forward passes an optimizer step")
    scheduler: Literal["constant", "linear", "cosine"] = Field("constant", description="of the learning rate")
    warmup_steps: Annotated[int, Field(ge=0)] = Field(0, description="steps until the full learning rate")
    max_grad_norm: Annotated[float, Field(ge=0)] = Field(
        1.0, description="gradients are clipped to it; 0 does not clip"
    )
    saliency_batch_size: Count = Field(8, description="rows a squared gradient; 1 is the per-example Fisher")
    save_steps: Count = Field(50, description="a checkpoint every so many steps")
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(0, description="of the order of rows and of dropout")
    dtype: Literal["float32", "bfloat16", "float16"] = Field("float32", description="of the weights")
    autocast: bool = Field(False, description="compute in bfloat16 while weights stay as they are")
    eval_batch_size: Count = Field(32, description="rows a forward pass when measuring")
    max_new_tokens: Count = Field(64, description="measured answers are cut there")
    trust_remote_code: bool = Field(False, description="run code that comes with the model")

    def resolved(self) -> Settings:
        """With the method and its hyper-parameters checked, parts in order and local paths absolute."""
        find(self.method)
        build(self.method, self.hyper_parameters)
        paths = {
            name: _absolute(value)
            for name in ("model", "forget", "retain", "preserve")
            if (value := getattr(self, name))
        }
        return self.model_copy(
            update={
                **paths,
                "probes": {name: _absolute(path) for name, path in self.probes.items()},
                "parts": check_parts(self.parts),
            }
        )


def _absolute(source: str) -> str:
    """A local path in full, so that `run.yaml` means the same from any folder; a hub id as it is."""
    path = Path(source).expanduser()
    return str(path.resolve()) if path.exists() else source


def parse(values: Mapping[str, Any], where: str = "settings") -> Settings:
    """Settings from keys and values.

    Raises:
        InputError: for an unknown key (with the nearest valid one), a missing one, or a value of the wrong kind.
    """
    for key in values:
        if key not in Settings.model_fields:
            raise InputError(f"{where}: unknown key {key!r}{did_you_mean(key, Settings.model_fields)}")
    try:
        return Settings.model_validate(dict(values)).resolved()
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        if first["type"] == "missing":
            raise InputError(f"{where}: {key} is missing ({Settings.model_fields[key].description})") from None
        raise InputError(f"{where}: {key}={first['input']!r}: {first['msg'].lower()}") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """The keys and values of a YAML file; a run's own `run.yaml` counts, with what it records beside the settings.

    Raises:
        InputError: for a missing or broken file.
    """
    try:
        values = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{path}{line}: not YAML ({getattr(error, 'problem', None) or 'cannot be read'})") from None
    if not isinstance(values, dict):
        raise InputError(
            f"{path}: holds {type(values).__name__} where keys and values are expected, as in model: FOLDER"
        )
    settings = values.get("settings", values)
    return {str(key): value for key, value in settings.items() if value is not None}


def with_assignments(values: Mapping[str, Any], assignments: list[str]) -> dict[str, Any]:
    """Values with `key=value` pairs laid over them; a key is a setting or a hyper-parameter of the method.

    Raises:
        InputError: when a pair has no `=`, or its key is neither.
    """
    merged = dict(values)
    method = find(str(merged.get("method", Settings.model_fields["method"].default)))
    hyper = set(method.__dataclass_fields__)
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        key = key.strip()
        if not equals or not key:
            raise InputError(f"--set {assignment!r}: give key=value, as in --set learning_rate=1e-5")
        if key in hyper:
            merged["hyper_parameters"] = {**merged.get("hyper_parameters", {}), key: text}
        elif key in Settings.model_fields and key != "hyper_parameters":
            merged[key] = _value(key, text)
        else:
            hint = did_you_mean(key, [*hyper, *Settings.model_fields])
            raise InputError(f"--set {key}: neither a setting nor a hyper-parameter of {method.name}{hint}")
    return merged


def _value(key: str, text: str) -> Any:
    """A value as YAML reads it, lists also as `a,b`; 1e-5 is a number here, which YAML's own grammar denies."""
    if key == "parts":
        return [part.strip() for part in text.strip("[]").split(",")]
    try:
        return float(text) if "e" in text.lower() else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError):
        return text
