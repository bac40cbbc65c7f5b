"""A part of a user's training rows as development rows, so that what is chosen is not chosen on what it learned."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from unsee.data.example import Example
from unsee.data.pictures import image_hash

HELD_OUT = 0.25  # of the groups
FEWEST_GROUPS = 4  # to hold any out
FEWEST_ROWS = 10  # held out; with fewer, one answer is more than ten points


@dataclass(frozen=True)
class Division:
    """Rows to train on and rows to measure on; the latter are among the former where there were too few."""

    train: list[Example]
    held_out: list[Example]
    by: str  # "subject", "picture", "question", or "" where nothing could be held out


def divide(rows: Sequence[Example], seed: int, by_subject: bool) -> Division:
    """Hold out a quarter of some rows, so that no subject, or else no picture, or else no question is in both parts.

    Args:
        rows: to be divided.
        seed: of the choice.
        by_subject: whether subjects may be held out; those to be forgotten are all to be trained on.
    """
    ways: dict[str, Callable[[Example], Hashable]] = {
        "subject": lambda row: row.subject,
        "picture": lambda row: image_hash(row.image) if row.image is not None else ("", row.question),
        "question": lambda row: row.question,
    }
    for by, key in ways.items():
        groups = sorted({key(row) for row in rows}, key=repr)
        if len(groups) < FEWEST_GROUPS or (by == "subject" and (not by_subject or None in groups)):
            continue
        out = set(random.Random(seed).sample(groups, max(1, round(HELD_OUT * len(groups)))))
        return Division([row for row in rows if key(row) not in out], [row for row in rows if key(row) in out], by)
    return Division(list(rows), list(rows), "")


def told(name: str, division: Division) -> str:
    """A sentence on what was held out."""
    rows = len(division.held_out)
    if not division.by:
        return f"{name}: too few different rows to hold any out, so all {rows} are trained on and measured."
    few = f" That is few: one answer is {100 / rows:.0f} points." if rows < FEWEST_ROWS else ""
    return f"{name}: {rows} of {rows + len(division.train)} rows held out, by {division.by}.{few}"
