"""Numbers and strangers' text, made fit to print."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

# What no page can hold: control characters (tab and new line are fine), halves of surrogate pairs, ends of paragraphs,
# and embeddings and overrides, which go on turning whatever follows them, out of <bdi> as well.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]")
_ISOLATES = re.compile("[\u2066-\u2069\n]")
_CLOSE = "\u2069"
_DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def visible(value: Any) -> Any:
    """Text with what no page can hold replaced by U+FFFD; anything else as it is.

    Isolates stay where they are closed in their own line: a browser writes <bdi> as one of them, so one that is left
    open, or closed twice, would end it, and turn the page's own words.
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    letters, opened = list(_UNPRINTABLE.sub("\ufffd", value)), list[int]()
    for match in _ISOLATES.finditer(value):
        if match[0] == _CLOSE and opened:
            opened.pop()
        elif match[0] == _CLOSE:
            letters[match.start()] = "\ufffd"
        elif match[0] == "\n":
            _replace(letters, opened)
        else:
            opened.append(match.start())
    _replace(letters, opened)
    return "".join(letters)


def _replace(letters: list[str], places: list[int]) -> None:
    while places:
        letters[places.pop()] = "\ufffd"


def isolated(text: str) -> str:
    """A name for the inside of a sentence: where it has letters from right to left, it orders nothing but itself."""
    shown = " ".join(visible(text).split())
    turns = any(unicodedata.bidirectional(letter) in ("R", "AL", "AN") for letter in shown)
    return f"\u2068{shown}{_CLOSE}" if turns else shown


def plain(text: str) -> str:
    """Text for a place where <bdi> cannot stand (attributes, SVG, the page's title): one line, no direction marks."""
    return " ".join(visible(_DIRECTIONS.sub("", text)).split())


def short(text: str, most: int) -> str:
    """At most so many characters, with an ellipsis where some are missing."""
    return text if len(text) <= most else text[: most - 1] + "…"


def percent(share: float | None, digits: int = 0) -> str:
    """0.063 -> "6 %"; a missing number is a dash."""
    return "\N{EN DASH}" if share is None else f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def points(change: float) -> str:
    """0.063 -> "+6.3": percentage points."""
    text = f"{100 * change:+.1f}"
    return "0" if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


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
        return ", ".join(written(item) for item in value)
    return str(value)
