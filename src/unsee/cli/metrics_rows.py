"""What the commands of `unsee metrics` read in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unsee.errors import InputError


def one_of(option: str, value: str, known: tuple[Any, ...]) -> Any:
    """The value of an option; InputError if it is none of those that are known."""
    if value not in known:
        raise InputError(f"{option} is {value!r}; it is one of {', '.join(known)}")
    return value


def string(row: Mapping[str, Any], key: str, where: str) -> str:
    """The text under a key of a row; InputError if it is none."""
    value = row.get(key)
    if not isinstance(value, str):
        raise InputError(f"{where}: {key} is {quoted(value)}; it must be text")
    return value


def quoted(value: object) -> str:
    """A value in a message, cut to 40 characters."""
    text = repr(value)
    return "missing" if value is None else text if len(text) <= 40 else text[:37] + "..."
