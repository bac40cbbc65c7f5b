"""Settings from keys and values: of Python, of a YAML file, of `--set key=value`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from unsee.errors import InputError, did_you_mean
from unsee.methods import METHODS, MethodCard, find
from unsee.methods.registry import in_full
from unsee.runs.settings.groups import GROUPS, Groups
from unsee.runs.settings.model import DEFAULT_METHOD, PROBES, SOURCES, Settings
from unsee.runs.settings.sources import absolute, as_lists, word_list
from unsee.system.files import read_text
from unsee.system.strict import parse_yaml
from unsee.system.typed import typed


def parse(values: Mapping[str, Any], where: str = "settings", card: MethodCard | None = None) -> Settings:
    """Settings from keys and values, resolved.

    Args:
        values: by key, as `Settings` lists them.
        where: what an error message calls them, such as the name of a file.
        card: what a run has kept of its method, if these are its settings; see `kept_card`.

    Raises:
        InputError: for an unknown key (with the nearest valid one), a missing one, or a value of the wrong kind.
    """
    for key in values:
        if key not in Settings.model_fields:
            raise InputError(f"{where}: unknown key {key!r}{_hint(key, values)}")
    no_booleans(values, where, Settings)
    try:
        return Settings.model_validate(dict(values)).resolved(card)
    except ValidationError as error:
        raise InputError(f"{where}: {complaint(error, Settings, GROUPS)}") from None


def no_booleans(values: Mapping[str, Any], where: str, of: type[BaseModel]) -> None:
    """InputError for true and false where something else belongs; pydantic would take them for 1 and 0.

    Args:
        values: known to be keys of the settings.
        where: what an error message calls them.
        of: the settings.
    """
    for key, value in values.items():
        inner = value.items() if isinstance(value, Mapping) else ()
        named = [(key, value), *((f"{key}.{name}", held) for name, held in inner)]
        for name, held in named:
            if isinstance(held, bool) and of.model_fields[key].annotation is not bool:
                raise InputError(f"{where}: {name}={str(held).lower()}: true and false belong elsewhere; give a value")


def _hint(key: str, values: Mapping[str, Any]) -> str:
    method = METHODS.get(str(values.get("method", DEFAULT_METHOD)))  # no code is run for the sake of a hint
    if method is not None and key in {field.name for field in fields(method)}:
        return f"; it belongs under hyper_parameters, as in hyper_parameters: {{{key}: {values[key]}}}"
    return did_you_mean(key, Settings.model_fields)


def complaint(error: ValidationError, of: type[BaseModel], groups: Groups) -> str:
    """What is wrong with the first value that is, in one line.

    Args:
        error: that the settings raised.
        of: the settings.
        groups: those of them that have keys of their own.
    """
    first = error.errors()[0]
    key = ".".join(map(str, first["loc"]))
    if first["type"] == "missing":
        return f"{key} is missing ({of.model_fields[key].description})"
    if first["type"] == "extra_forbidden":  # some settings have keys of their own
        model, _ = groups[str(first["loc"][0])]
        return f"unknown key {key!r}{did_you_mean(str(first['loc'][-1]), model.model_fields)}"
    ours = first.get("ctx", {}).get("error")
    return str(ours) if isinstance(ours, InputError) else f"{key}={first['input']!r}: {first['msg'].lower()}"


def read_yaml(path: Path, sources: Sequence[str] = SOURCES) -> dict[str, Any]:
    """The keys and values of a YAML file; a run's own `run.yaml` counts, with what it records beside the settings.

    Relative paths start at the file's folder: what it says does not depend on where one stands. A name that is no
    path from there (a hub id) stays as it is.

    Args:
        path: the file.
        sources: the keys whose values are paths or hub ids.

    Raises:
        InputError: for a missing or broken file.
    """
    values = parse_yaml(read_text(path), str(path))
    settings = values.get("settings", values) if isinstance(values, dict) else values
    if not isinstance(settings, dict):
        kind = {type(None): "nothing", str: "words alone", list: "a list"}.get(type(settings), "a single value")
        raise InputError(f"{path}: holds {kind} where keys and values are expected, as in model: FOLDER")
    return _beside({str(key): value for key, value in settings.items() if value is not None}, path.parent, sources)


def kept_card(path: Path) -> MethodCard | None:
    """What the `run.yaml` of a run keeps of a method from outside; None for one of this package.

    With it the run is read without its method's code, which a stranger may have written, or which has gone.

    Raises:
        InputError: the file has none although its method is from outside.
    """
    values = parse_yaml(read_text(path), str(path))
    settings = values.get("settings", values) if isinstance(values, dict) else None
    method = settings.get("method") if isinstance(settings, dict) else None
    if not isinstance(method, str) or method in METHODS:
        return None  # what is no name at all is refused with the rest
    if settings is values or "method" not in values:
        raise InputError(f"{path}: method {method!r} is from outside, and nothing else is said of it there")
    card: MethodCard = typed(values["method"], MethodCard, f"{path}: method")
    return card


def _beside(values: dict[str, Any], folder: Path, sources: Sequence[str]) -> dict[str, Any]:
    """The same values with relative paths starting at a folder."""
    for key in sources:
        if isinstance(value := values.get(key), str):
            values[key] = absolute(value, folder)
    for key in PROBES:
        if isinstance(probes := values.get(key), dict):
            values[key] = {k: absolute(v, folder) if isinstance(v, str) else v for k, v in probes.items()}
    if isinstance(lists := as_lists(values.get("lexicon")), list):
        values["lexicon"] = [word_list(name, folder) if isinstance(name, str) else name for name in lists]
    if isinstance(method := values.get("method"), str):
        values["method"] = in_full(method, folder)
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
            held = GROUPS[group][1](merged.get(group)) if group in GROUPS else merged.get(group)
            merged[group] = {**(held if isinstance(held, dict) else {}), inner: as_value(text)}
        else:
            if key == "method" and (text := in_full(text)) != in_full(str(merged.get("method", DEFAULT_METHOD))):
                merged.pop("hyper_parameters", None)
            merged[key] = text if key in (*SOURCES, "out", "method") and text != "null" else as_value(text)
    return merged


def _place(key: str, method: str) -> tuple[str, str]:
    """Under which group of settings a key stands, and its name there; the group is empty for a setting."""
    hyper = [field.name for field in fields(find(method))]
    nested = [f"{group}.{name}" for group, (model, _) in GROUPS.items() for name in model.model_fields]
    if key in hyper:
        return "hyper_parameters", key
    if key in nested:
        group, _, inner = key.partition(".")
        return group, inner
    if key in Settings.model_fields and key != "hyper_parameters":
        return "", key
    hint = did_you_mean(key, [*hyper, *nested, *(Settings.model_fields.keys() - {"hyper_parameters"})])
    raise InputError(f"--set {key}: neither a setting nor a hyper-parameter of {method}{hint}")


def as_value(text: str) -> Any:
    """A value as YAML reads it; what is no YAML is a word."""
    try:
        return parse_yaml(text, "--set")
    except InputError:
        return text
