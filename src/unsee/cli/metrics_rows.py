"""What the commands of `unsee metrics` read in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unsee.errors import InputError, quoted


def string(row: Mapping[str, Any], key: str, where: str) -> str:
    """The text under a key of a row; InputError if it is none."""
    value = row.get(key)
    if not isinstance(value, str):
        raise InputError(f"{where}: {key} is {quoted(value)}; it must be text")
    return value
