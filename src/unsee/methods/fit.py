"""What a class from outside must have to be a method. Those of this package have it all, which the tests see to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import BaseMetadata, GroupedMetadata
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from typing_extensions import Doc

from unsee.errors import InputError
from unsee.methods.method import Needs
from unsee.system.plugins import takes

NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")  # it becomes the name of a folder and of a row
TAKEN = ("base", "gold", "refusing_prompt")  # names that runs and leaderboards have for other models
_RANGES = (BaseMetadata, GroupedMetadata, FieldInfo)  # such as Gt(0), Interval(...), Field(gt=0)
ARGUMENTS = ("batch", "policy", "reference")  # of `terms`


def check_fits(method: Any, where: str) -> None:
    """See that a class can be trained with, set and written about as the built-in ones can.

    Args:
        method: whatever a file or a package has under the name of a class.
        where: what an error message calls it.

    Raises:
        InputError: with everything that is missing.
    """
    if missing := list(_missing(method)):
        raise InputError(f"{where} is no method: {'; '.join(missing)}")


def _missing(method: Any) -> Iterator[str]:
    if not isinstance(method, type) or not is_dataclass(method):
        yield "it must be a class under @dataclass(frozen=True)"
        return
    if not method.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        yield "its dataclass must be frozen=True"
    name, paper = getattr(method, "name", None), getattr(method, "paper", None)
    if not isinstance(name, str) or not NAME.fullmatch(name) or name in TAKEN:
        yield 'name: ClassVar[str] = "a_short_name" (small letters, digits and _, not base or gold)'
    if not isinstance(paper, str) or not paper.strip():
        yield 'paper: ClassVar[str] = "who published it, or unpublished"'
    if not isinstance(getattr(method, "needs", None), Needs):
        yield "needs: ClassVar[Needs] = Needs(...)"
    if not takes(getattr(method, "terms", None), "self", *ARGUMENTS):
        yield f"def terms(self, {', '.join(ARGUMENTS)}), which yields each Term"
    if (method.__doc__ or "").startswith(f"{method.__name__}("):  # what a dataclass writes for itself
        yield "a docstring that says what it does"
    yield from _missing_of_fields(method)


def _missing_of_fields(method: Any) -> Iterator[str]:
    try:
        hints = get_type_hints(method, include_extras=True)
    except NameError as error:
        yield f"an import of {error.name!r}, which its fields are annotated with (outside TYPE_CHECKING)"
        return
    for field in fields(method):
        if lack := _lack_of(field, hints[field.name]):
            yield f"{field.name}: {lack}"
    if all(field.default is not MISSING for field in fields(method)):
        yield from _default_out_of_range(method)


def _lack_of(field: Field[Any], hint: Any) -> str:
    """What a hyper-parameter has not got that it should, in words; empty for one that is as it should be."""
    kind, notes = _split(hint)
    choices = (
        [_split(choice) for choice in get_args(kind)] if get_origin(kind) in (Union, UnionType) else [(kind, notes)]
    )
    numbers = [(kind, notes) for kind, notes in choices if not _is_words(kind)]
    if any(kind not in (float, int) for kind, _ in numbers):
        return "must be a float, an int or a Literal of words"
    if field.default is MISSING:
        return "has no default"
    if not any(isinstance(note, Doc) for note in notes):
        return 'has no meaning; write Annotated[..., Doc("what it is, and its unit")]'
    if not all(any(isinstance(note, _RANGES) for note in notes) for _, notes in numbers):
        return "has no range; write Annotated[Positive, ...] or Annotated[float, Ge(0), ...]"
    return ""


def _split(hint: Any) -> tuple[Any, Sequence[Any]]:
    """What is annotated, and with what."""
    kind, *notes = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    return kind, notes


def _is_words(kind: Any) -> bool:
    return get_origin(kind) is Literal and all(isinstance(word, str) for word in get_args(kind))


def _default_out_of_range(method: Any) -> Iterator[str]:
    try:
        TypeAdapter(method).validate_python({field.name: field.default for field in fields(method)})
    except ValidationError as error:
        first = error.errors()[0]
        yield f"{'.'.join(map(str, first['loc']))}: its default {first['input']!r} is refused: {first['msg'].lower()}"
