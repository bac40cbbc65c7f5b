"""Attacks by name: those of this package, those of installed ones, and those in a file that the user points at.

An attack of this package is one file beside this one and one line in `BUILT_IN`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from unsee.audit.attack import Attack
from unsee.errors import InputError, one_of
from unsee.system.plugins import entry_points_of, load_from_file, names_a_file, takes

GROUP = "unsee.attacks"  # of entry points
NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")  # a key of `--json`

# The file beside this one, and its class.
BUILT_IN = ("wording:Wording",)

ATTACKS: dict[str, type[Any]] = {
    attack.name: attack
    for file, _, name in (place.partition(":") for place in BUILT_IN)
    for attack in (getattr(import_module(f"unsee.audit.{file}"), name),)
}


def names() -> list[str]:
    """The attacks of this package, and those that installed ones offer under `unsee.attacks`."""
    return [*ATTACKS, *(name for name in entry_points_of(GROUP) if name not in ATTACKS)]


def find(attack: str) -> Attack:
    """An attack, ready for use.

    Args:
        attack: one of `names`, or a place such as `path/to/file.py:Class`, whose file is run.

    Raises:
        InputError: nothing has this name (with the nearest one), it cannot be loaded, or its class does not fit.
    """
    if names_a_file(attack):
        return _fitting(load_from_file(attack, "attack"), attack)
    if attack in ATTACKS:
        return _fitting(ATTACKS[attack], attack)
    one_of("attack", attack, names())
    plugin = entry_points_of(GROUP)[attack]
    loaded = _fitting(plugin.load(), plugin.places[0])
    if loaded.name != attack:
        raise InputError(
            f"attack: {plugin.places[0]} is offered as {attack!r}, and its name is {loaded.name!r}; give both one name"
        )
    return loaded


def find_all(attacks: Sequence[str]) -> list[Attack]:
    """Several attacks, as `find` takes them; InputError also where two have one name."""
    loaded: dict[str, Attack] = {}
    for place, attack in zip(attacks, map(find, attacks), strict=True):
        if attack.name in loaded:
            raise InputError(f"attack: {place} is the second with the name {attack.name!r}; give each name once")
        loaded[attack.name] = attack
    return list(loaded.values())


def _fitting(loaded: Any, place: str) -> Attack:
    if missing := list(_missing(loaded)):
        raise InputError(f"attack: {place} is no attack: {'; '.join(missing)}")
    if ATTACKS.get(loaded.name, loaded) is not loaded:
        raise InputError(f"attack: {place} has the name {loaded.name!r} of a built-in attack; give it one of its own")
    try:
        attack: Attack = loaded()
    except Exception as error:
        raise InputError(f"attack: {place} cannot be made: {type(error).__name__}: {error}") from error
    return attack


def _missing(attack: Any) -> Iterator[str]:
    """What a class from outside lacks, in words."""
    if not isinstance(attack, type):
        yield "it must be a class"
        return
    name, source = getattr(attack, "name", None), getattr(attack, "source", None)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        yield 'name: ClassVar[str] = "a_short_name" (small letters, digits and _)'
    if not isinstance(source, str) or not source.strip():
        yield 'source: ClassVar[str] = "paper and section, or unpublished"'
    if not takes(getattr(attack, "tries", None), "self", "example"):
        yield "def tries(self, example), which gives a sequence of examples"
    if not takes(attack):
        yield "a default for each of its fields"
