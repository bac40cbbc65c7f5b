"""Methods by name: those of this package, those of installed ones, and those in a file that the user points at.

A method of this package is one file beside this one and one line in `BUILT_IN`. What is asked of a class from outside
is in `unsee.methods.fit`.
"""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError
from typing_extensions import Doc

from unsee.errors import InputError, did_you_mean
from unsee.methods.fit import check_fits
from unsee.methods.method import Method
from unsee.system.plugins import Plugin, digest_of_file, entry_points_of, load_from_file, names_a_file, split_place

GROUP = "unsee.methods"  # of entry points

# In the order in which they are listed: the file beside this one, and its class.
BUILT_IN = (
    "retain_finetune:RetainFinetune",
    "grad_ascent:GradAscent",
    "grad_diff:GradDiff",
    "kl:KL",
    "npo:NPO",
    "simnpo:SimNPO",
    "idk:IDK",
    "dpo:DPO",
    "undial:UNDIAL",
    "entropy:Entropy",
    "llmu:LLMU",
    "mmunlearner:MMUnlearner",
    "gated_npo:GatedNPO",
    "scrub:SCRUB",
    "rmu:RMU",
    "sku:SKU",
    "efuf:EFUF",
    "efuf:EFUFNPO",
    "random_noise:RandomNoise",
)

METHODS: dict[str, type[Any]] = {
    method.name: method
    for file, _, name in (place.partition(":") for place in BUILT_IN)
    for method in (getattr(import_module(f"unsee.methods.{file}"), name),)
}


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
    parameters = []
    for field in fields(method):
        kind, *notes = get_args(hints[field.name])
        meaning = next(note.documentation for note in notes if isinstance(note, Doc))
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        parameters.append(HyperParameter(field.name, field.default, meaning, choices))  # type: ignore[arg-type]
    return parameters


def find(method: str) -> type[Any]:
    """The class of a method.

    Args:
        method: a name that `unsee methods` lists, or a place such as `path/to/file.py:Class`, whose file is run.

    Raises:
        InputError: nothing has this name (with the nearest one), it cannot be loaded, or its class does not fit.
    """
    if names_a_file(method):
        return _fitting(load_from_file(method, "method"), method)
    if method in METHODS:
        return METHODS[method]
    offered = plugins()
    if method not in offered:
        known = [*METHODS, *offered]
        raise InputError(f"method: {method!r} is unknown{did_you_mean(method, known)}; there are {', '.join(known)}")
    loaded = _fitting(offered[method].load(), offered[method].places[0])
    if loaded.name != method:
        raise InputError(
            f"method: the entry point {method} of {offered[method].places[0]} leads to a class with the name "
            f"{loaded.name!r}; give both the same name"
        )
    return loaded


def _fitting(loaded: Any, place: str) -> type[Any]:
    check_fits(loaded, f"method: {place}")
    if METHODS.get(loaded.name, loaded) is not loaded:
        raise InputError(f"method: {place} has the name {loaded.name!r} of a built-in method; give it one of its own")
    fitting: type[Any] = loaded
    return fitting


def plugins() -> dict[str, Plugin]:
    """Methods of installed packages, by name; none of them is imported yet."""
    return entry_points_of(GROUP)


def source_of(method: str) -> str:
    """Where a method is from, in words; empty for one of this package."""
    if names_a_file(method):
        return method
    return "" if method in METHODS or method not in plugins() else plugins()[method].places[0]


def code_of(method: str) -> str:
    """SHA-256 of the file that a method from outside is written in; empty for one of this package.

    Raises:
        InputError: it cannot be found or read.
    """
    if not source_of(method):
        return ""
    file = split_place(method, "method")[0] if names_a_file(method) else inspect.getfile(find(method))
    return digest_of_file(Path(file), "method")


def in_full(method: str, folder: Path = Path()) -> str:
    """A name as it is; a place with the whole path of its file, so that it means the same from anywhere.

    Args:
        method: as `find` takes it.
        folder: where a relative path starts.
    """
    if not names_a_file(method):
        return method
    file, name = split_place(method, "method")
    return f"{os.path.abspath(folder / file)}:{name}"


def build(name: str, values: Mapping[str, Any] | None = None) -> Method:
    """A method with its hyper-parameters.

    Args:
        name: as `find` takes it.
        values: hyper-parameters that differ from the defaults; numbers may be given as text.

    Raises:
        InputError: for an unknown method or hyper-parameter, or a value out of range.
    """
    method, values = find(name), dict(values or {})
    name = method.name
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
