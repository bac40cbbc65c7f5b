"""What loaders of benchmarks share: halves, samples, options, and which probes repeat training rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import TypeVar

from unsee.data.example import Example, Probe
from unsee.data.sets import repeats
from unsee.errors import InputError, did_you_mean
from unsee.metrics.answers import normalise

T = TypeVar("T")


def one_of(what: str, value: str, known: Sequence[str]) -> None:
    """InputError unless the value is known."""
    if value not in known:
        raise InputError(f"{what} is {value!r}; it is one of {', '.join(known)}{did_you_mean(value, known)}")


def alternate(rows: Sequence[T], seed: int) -> tuple[list[T], list[T]]:
    """Every second row, and the others; which is which turns with the seed."""
    return list(rows[seed % 2 :: 2]), list(rows[1 - seed % 2 :: 2])


def spread(rows: Sequence[T], most: int | None) -> list[T]:
    """At most so many rows, evenly spaced: rows about one person stand together, and all people should have some."""
    if most is not None and most < 1:
        raise InputError(f"probe_rows is {most}; it must be 1 or more")
    if most is None or len(rows) <= most:
        return list(rows)
    return [rows[place * len(rows) // most] for place in range(most)]


def choices_among(answer: str, options: Sequence[str], seed: int) -> tuple[str, ...]:
    """The options with the answer among them, in an order of their own that depends on nothing but them."""
    choices = sorted({answer, *options})
    Random(f"options/{seed}/{answer}/{'/'.join(choices)}").shuffle(choices)
    return tuple(choices)


def without_questions(rows: Sequence[Example], asked: Sequence[Example]) -> list[Example]:
    """The rows whose question, but for case and punctuation, is none of those that are asked in words.

    Rows with a picture stay: there the question alone says nothing about whom it is about.
    """
    taken = {normalise(row.question) for row in asked if row.image is None}
    return [row for row in rows if row.image is not None or normalise(row.question) not in taken]


def marked_probes(rows: Mapping[str, Sequence[Example]], *training: Sequence[Example]) -> list[Probe]:
    """Probes, with those marked that ask what some training row asks."""
    return [Probe(name, some, trained_on=repeats(some, training)) for name, some in rows.items()]


def shared_pictures() -> Callable[[Example], Example]:
    """A function that lets all rows about the same picture hold one copy of its bytes."""
    pool: dict[bytes, bytes] = {}

    def share(row: Example) -> Example:
        if not isinstance(row.image, bytes):
            return row
        return replace(row, image=pool.setdefault(row.image, row.image))

    return share
