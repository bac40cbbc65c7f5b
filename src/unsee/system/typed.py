"""Files of ours, read as what they were written: who changed one by hand is told which field of it makes no sense."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from unsee.errors import InputError
from unsee.system.files import numbered_jsonl, read_json

_SHOWN = 100  # letters of the name of a field


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


def read_typed_rows(path: Path, kind: Any, otherwise: Any = None, key: str = "skipped") -> list[dict[str, Any]]:
    """The rows of a JSON Lines file of ours, each as it stands there.

    Args:
        path: the file.
        kind: what a row holds, as a type that pydantic understands; a word is no number, nor a number a word.
        otherwise: the same of rows that have a certain key.
        key: the key.

    Raises:
        InputError: if the file cannot be read, or a row is anything else; the message names line and field.
    """
    rows = []
    for line, row in numbered_jsonl(path):
        typed(row, otherwise if otherwise is not None and key in row else kind, f"{path}, line {line}", strict=True)
        rows.append(row)
    return rows


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
        return _adapter(kind).validate_python(value, strict=strict)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))[:_SHOWN]
        given = "" if first["type"] == "missing" else f", not {str(first['input'])[:60]!r}"
        name = f"{field}: " if field else ""
        raise InputError(f"{where}: {name}{first['msg'].lower()}{given}; the file is not as it was written") from None


@lru_cache(maxsize=64)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
