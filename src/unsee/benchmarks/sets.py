"""What loaders of benchmarks share: halves, samples, options, and which probes repeat training rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import TypeVar

from unsee.data.example import Benchmark, Example, Probe, Role
from unsee.data.sets import repeats
from unsee.errors import InputError
from unsee.metrics.answers import normalise

T = TypeVar("T")


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


def wrong_among(options: Sequence[str], *right: str) -> tuple[str, ...]:
    """The options that are wrong: published rows list a right answer among their perturbed ones here and there."""
    known = {normalise(text) for text in right}
    return tuple(option for option in options if normalise(option) not in known)


def without_questions(rows: Sequence[Example], asked: Sequence[Example]) -> list[Example]:
    """The rows whose question, but for case and punctuation, is none of those that are asked in words.

    Rows with a picture stay: there the question alone says nothing about whom it is about.
    """
    taken = {normalise(row.question) for row in asked if row.image is None}
    return [row for row in rows if row.image is not None or normalise(row.question) not in taken]


def all_but(rows: Sequence[Example], some: Sequence[Example]) -> list[Example]:
    """The rows that are none of some, in their order."""
    taken = set(some)
    return [row for row in rows if row not in taken]


def assembled(training: Benchmark, probes: Mapping[str, Sequence[Example]], probe_rows: int | None) -> Benchmark:
    """A benchmark whose rows about one picture hold it once, and whose probes say whether they were trained on.

    Args:
        training: its name, request and training rows; no probes yet.
        probes: rows by the name of their probe.
        probe_rows: at most so many per probe; None keeps all.
    """
    pool = _shared_pictures()
    forget, retain, preserve, learned = (
        [pool(row) for row in rows] for rows in (training.forget, training.retain, training.preserve, training.learned)
    )
    asked = {name: [pool(row) for row in spread(rows, probe_rows)] for name, rows in probes.items()}
    marked = [
        Probe(name, rows, trained_on=repeats(rows, (forget, retain)), role=_role(name, training.request))
        for name, rows in asked.items()
    ]
    return replace(training, forget=forget, retain=retain, preserve=preserve, learned=learned, probes=marked)


def _role(probe: str, request: str) -> Role:
    """What a probe is for: those about forgotten people are to go, but for the kind that the request leaves alone.

    All loaders here call what is about forgotten people `forget...`, and end the name in `_vqa` where it has pictures
    and in `_qa` where it has none.
    """
    spared = {"visual": "_qa", "textual": "_vqa"}.get(request)
    return "forget" if probe.startswith("forget") and not (spared and probe.endswith(spared)) else "keep"


def _shared_pictures() -> Callable[[Example], Example]:
    """A function that lets all rows about the same picture hold one copy of its bytes."""
    pool: dict[bytes, bytes] = {}

    def share(row: Example) -> Example:
        if not isinstance(row.image, bytes):
            return row
        return replace(row, image=pool.setdefault(row.image, row.image))

    return share
