"""Numbers and strangers' text, made fit to print."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

# What no page can hold: control characters (tab and new line are fine) and halves of surrogate pairs.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# Marks that change the direction of all that follows; inside <bdi> they end with it, elsewhere they are left out.
_DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def visible(value: Any) -> Any:
    """Text with its unprintable characters replaced by U+FFFD; anything else as it is."""
    return _UNPRINTABLE.sub("\ufffd", value) if isinstance(value, str) and not isinstance(value, Markup) else value


def plain(text: str) -> str:
    """Text for a place where <bdi> cannot stand (attributes, SVG, the page's title): one line, no direction marks."""
    return " ".join(_DIRECTIONS.sub("", visible(text)).split())


def short(text: str, most: int) -> str:
    """At most so many characters, with an ellipsis where some are missing."""
    return text if len(text) <= most else text[: most - 1] + "…"


def percent(share: float | None, digits: int = 0) -> str:
    """0.063 -> "6 %"; a missing number is a dash."""
    return "\N{EN DASH}" if share is None else f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def points(change: float) -> str:
    """0.063 -> "+6.3": percentage points."""
    said = f"{100 * change:+.1f}"
    return "0" if float(said) == 0 else said.replace("-", "\N{MINUS SIGN}")


def listed(names: list[str]) -> str:
    """ "Ada, Ben and Cleo"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def counted(number: int, thing: str) -> str:
    """ "1 person" or "3 persons"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """4.21 -> "4.2 s", 200 -> "3 min 20 s", 7500 -> "2 h 5 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as lines: {"train": {"lr": 1e-4}} -> ("train.lr", "0.0001")."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", written(value)


def written(value: Any) -> str:
    """A setting as a person would write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value in ({}, [], ()):
        return "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(written(one) for one in value)
    return str(value)
