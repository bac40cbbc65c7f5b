"""The words for where in a model a method may write, and for what is to go; they need no torch to be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from unsee.errors import InputError, did_you_mean

Part = Literal["vision", "projector", "language"]
PARTS: tuple[Part, ...] = get_args(Part)
Request = Literal["visual", "textual", "both"]  # faces are to go, or facts in words, or both
REQUESTS: tuple[Request, ...] = get_args(Request)


def check_parts(parts: Sequence[str]) -> tuple[Part, ...]:
    """The parts, in their own order, once each; InputError for none or an unknown one."""
    unknown = [part for part in parts if part not in PARTS]
    if unknown or not parts:
        names = ", ".join(map(repr, unknown)) or "none"
        hint = did_you_mean(unknown[0], PARTS) if unknown else ""
        raise InputError(f"parts: {names} given{hint}; choose one or more of {', '.join(PARTS)}")
    return tuple(part for part in PARTS if part in parts)
