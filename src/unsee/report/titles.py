"""What the page of a run is called: what was forgotten, and by which model, in words that people gave them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from unsee.data import Example
from unsee.evaluation.judged import is_judged
from unsee.system.wording import counted, isolated, listed, short

MOST_NAMES = 3  # of whom or what was forgotten
_HUB = "models--"  # a model of the hub's cache lies in models--owner--name/snapshots/DIGEST
_NO_NAME = re.compile(r"[0-9a-f]{12,}|model|final|snapshots|checkpoint-\d+|/")


def title(forget: Sequence[Example], source: str, model: str, method: str) -> str:
    """ "SmolVLM-256M-Instruct is made to forget Ada Lind, by npo".

    Args:
        forget: the rows that were to be forgotten.
        source: where they came from.
        model: folder or hub id of the model before.
        method: by which it was unlearned.
    """
    return title_of(forgotten(forget, source), model, method)


def title_of(what: str, model: str, by: str) -> str:
    """The same with what was forgotten, and by which method or methods, in words."""
    return f"{isolated(short(model_name(model), 60))} is made to forget {what}, by {by}"


def model_name(source: str) -> str:
    """A name from a folder or hub id: that of the nearest folder that is no digest and says something."""
    for part in reversed(Path(source).absolute().parts):
        if part.startswith(_HUB):
            return part.removeprefix(_HUB).rpartition("--")[2]
        if not _NO_NAME.fullmatch(part):
            return part
    return "a model"


def forgotten(rows: Sequence[Example], source: str) -> str:
    """ "Ada, Ben and Cleo", "Ada, Ben and 18 others", or how many rows of which file, where nobody is named."""
    if is_judged(rows):
        return f"what it hallucinates in {counted(len(rows), 'caption')}"
    names = list(dict.fromkeys(row.subject for row in rows if row.subject is not None))
    unnamed = sum(row.subject is None for row in rows)
    if not names:
        return f"{counted(unnamed, 'row') if rows else 'the rows'} of {isolated(short(Path(source).name, 60))}"
    shown = names if len(names) <= MOST_NAMES else names[: MOST_NAMES - 1]
    parts = [isolated(short(name, 40)) for name in shown]
    if len(shown) < len(names):
        parts.append(f"{len(names) - len(shown):,} others")
    if unnamed:
        parts.append(counted(unnamed, "further row"))
    return listed(parts)
