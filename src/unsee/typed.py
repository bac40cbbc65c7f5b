"""Files of ours, read as what they were written: who changed one by hand is told which field of it makes no sense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from unsee.errors import InputError
from unsee.files import read_json


def read_typed(path: Path, kind: Any, strict: bool = False) -> Any:
    """The value of a JSON file of ours.

    Args:
        path: the file.
        kind: what it holds, as a type that pydantic understands.
        strict: as for `typed`.

    Raises:
        InputError: if the file cannot be read, or holds anything else; the message names the field.
    """
    return typed(read_json(path), kind, str(path), strict)


def typed(value: Any, kind: Any, where: str, strict: bool = False) -> Any:
    """A value as a type.

    Args:
        value: as a file holds it.
        kind: a type that pydantic understands.
        where: what an error message calls it.
        strict: take no word for a number, nor a number for a word.

    Raises:
        InputError: it is none of that type; the message names the field.
    """
    try:
        return TypeAdapter(kind).validate_python(value, strict=strict)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        found = "" if first["type"] == "missing" else f", not {str(first['input'])[:60]!r}"
        name = f"{field}: " if field else ""
        raise InputError(f"{where}: {name}{first['msg'].lower()}{found}; the file is not as it was written") from None
