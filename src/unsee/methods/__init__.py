"""Unlearning methods, one file each. A new one is one new file and one line in `METHODS`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError
from typing_extensions import Doc

from unsee.errors import InputError, did_you_mean
from unsee.methods.dpo import DPO
from unsee.methods.efuf import EFUF, EFUFNPO
from unsee.methods.entropy import Entropy
from unsee.methods.gated_npo import GatedNPO
from unsee.methods.grad_ascent import GradAscent
from unsee.methods.grad_diff import GradDiff
from unsee.methods.idk import IDK
from unsee.methods.kl import KL
from unsee.methods.llmu import LLMU
from unsee.methods.method import Method, Needs, Reference, Term, UnlearnBatch
from unsee.methods.mmunlearner import MMUnlearner
from unsee.methods.npo import NPO
from unsee.methods.random_noise import RandomNoise
from unsee.methods.retain_finetune import RetainFinetune
from unsee.methods.rmu import RMU
from unsee.methods.scrub import SCRUB
from unsee.methods.simnpo import SimNPO
from unsee.methods.sku import SKU
from unsee.methods.undial import UNDIAL

METHODS: dict[str, type[Any]] = {
    method.name: method
    for method in (
        RetainFinetune, GradAscent, GradDiff, KL, NPO, SimNPO, IDK, DPO, UNDIAL, Entropy, LLMU, MMUnlearner, GatedNPO,
        SCRUB, RMU, SKU, EFUF, EFUFNPO, RandomNoise,
    )
}  # fmt: skip


@dataclass(frozen=True)
class HyperParameter:
    """What can be set on a method."""

    name: str
    default: float | str
    meaning: str
    choices: tuple[str, ...] = ()  # the words that it can be; none for a number


def hyper_parameters(name: str) -> list[HyperParameter]:
    """The hyper-parameters of a method, with defaults and meanings; InputError for an unknown method."""
    method = find(name)
    hints = get_type_hints(method, include_extras=True)
    found = []
    for field in fields(method):
        kind, *notes = get_args(hints[field.name])
        meaning = next(note.documentation for note in notes if isinstance(note, Doc))
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        found.append(HyperParameter(field.name, field.default, meaning, choices))  # type: ignore[arg-type]
    return found


def find(name: str) -> type[Any]:
    """The class of a method; InputError with the nearest name for an unknown one."""
    if name not in METHODS:
        raise InputError(f"method: {name!r} is unknown{did_you_mean(name, METHODS)}; there are {', '.join(METHODS)}")
    return METHODS[name]


def build(name: str, values: Mapping[str, Any] | None = None) -> Method:
    """A method with its hyper-parameters.

    Args:
        name: as `unsee methods` lists it.
        values: hyper-parameters that differ from the defaults; numbers may be given as text.

    Raises:
        InputError: for an unknown method or hyper-parameter, or a value out of range.
    """
    method, values = find(name), dict(values or {})
    known = {field.name for field in fields(method)}
    for key in values:
        if key not in known:
            choices = f"it has {', '.join(sorted(known))}" if known else "it has none"
            raise InputError(f"{name}: no hyper-parameter {key!r}{did_you_mean(key, known)}; {choices}")
    try:
        built: Method = TypeAdapter(method).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{name}: {where}={first['input']!r}: {first['msg'].lower()}") from None
    for key in values:
        value = getattr(built, key)
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{name}: {key}={value}: input should be a finite number")
    return built


__all__ = [
    "METHODS", "HyperParameter", "Method", "Needs", "Reference", "Term", "UnlearnBatch", "build", "find",
    "hyper_parameters",
]  # fmt: skip
