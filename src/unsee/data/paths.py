"""Files that people name otherwise than the file system does: found where there is no doubt, or the true cause.

A name is first taken as it stands. Then as a `file://` address, without white space around it, with slashes for
backslashes, and with letters that are composed otherwise: "ü" is one character on one system and two on another.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from unicodedata import normalize
from urllib.parse import unquote

from unsee.errors import did_you_mean

_FILE = "file://"
_WINDOWS = re.compile(r"[a-z]:[\\/]", re.IGNORECASE)
_LOOKED_AT = 5000  # names of a folder, for a hint


def located(name: str, folder: Path = Path()) -> Path | None:
    """The file or folder that a name means; None where there is none, or more than one.

    Args:
        name: a path, or a `file://` address.
        folder: where relative paths start.

    Raises:
        OSError: the place cannot be looked at.
    """
    forms = list(dict.fromkeys(_forms(name)))
    for form in forms:
        if os.path.lexists(folder / form):
            return folder / form
    return next((path for form in forms if (path := _composed(folder / form)) is not None), None)


def placed(name: str, folder: Path) -> Path:
    """As `located`; where there is nothing, the place where it should be."""
    try:
        return located(name, folder) or folder / name
    except (OSError, ValueError):
        return folder / name


def from_address(name: str) -> str:
    """A `file://` address as a path; other names as they are."""
    rest = name.strip()
    if not rest.lower().startswith(_FILE):
        return name
    return unquote(rest[len(_FILE) :].removeprefix("localhost"))


def not_found(name: str, folder: Path = Path()) -> str:
    """Why a name leads to no file, for the end of a message; empty where nothing more can be said."""
    if _WINDOWS.match(name):
        return "; a path of Windows, which means nothing here"
    path = folder / from_address(name).strip().replace("\\", "/")
    try:
        if not path.parent.is_dir():
            return f"; there is no folder {path.parent}"
        names = [entry.name for entry in islice(path.parent.iterdir(), _LOOKED_AT)]
        same = next((name for name in names if name.casefold() == path.name.casefold()), None)
        return f" (did you mean {same!r}?)" if same else did_you_mean(path.name, names)
    except (OSError, ValueError):
        return "; its folder cannot be looked into"


def _forms(name: str) -> Iterator[str]:
    for form in (name, from_address(name)):
        yield from (form, form.strip())
        yield form.strip().replace("\\", "/")


def _composed(path: Path) -> Path | None:
    """The path whose letters are the same in Unicode, however they are composed."""
    if str(path).isascii():
        return None
    actual = Path(path.anchor)
    for part in path.parts[1 if path.anchor else 0 :]:
        step = actual / part
        if not os.path.lexists(step):
            try:
                names = _names(actual, actual.stat().st_mtime_ns).get(normalize("NFC", part), ())
            except OSError:
                return None
            if len(names) != 1:
                return None
            step = actual / names[0]
        actual = step
    return actual


@lru_cache(maxsize=16)
def _names(folder: Path, changed: int) -> dict[str, list[str]]:
    """The names in a folder by their composed form; a changed folder is read again."""
    by_form: dict[str, list[str]] = {}
    for name in os.listdir(folder):
        by_form.setdefault(normalize("NFC", name), []).append(name)
    return by_form
