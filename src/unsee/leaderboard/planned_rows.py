"""The rows of a plan, and who of those to be forgotten has a name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unsee.benchmarks import load_benchmark
from unsee.data import Benchmark, load_examples
from unsee.data.by_subject import by_subject
from unsee.errors import InputError
from unsee.leaderboard.plan_file import PlanFile
from unsee.types import Request

MOST_NAMES = 50  # that a prompt can hold


def names_of(sets: Benchmark) -> tuple[str, ...]:
    """Those who are to be forgotten, where all have names and they are not too many."""
    subjects = dict.fromkeys(row.subject for row in sets.forget if row.subject)
    named = tuple(subject for subject in subjects if is_name(subject))
    return named if len(named) == len(subjects) <= MOST_NAMES else ()


def is_name(subject: str) -> bool:
    """Whether a subject can be called by it: words, and no number."""
    return any(letter.isalpha() for letter in subject) and not any(letter.isdigit() for letter in subject)


def rows_of(told: PlanFile) -> tuple[Benchmark, tuple[str, ...]]:
    """The benchmark of a plan, and what there is to say of it."""
    if of := told.benchmark:
        options: dict[str, Any] = {"probe_rows": of.probe_rows, "training": of.training}
        return load_benchmark(of.source, of.name, of.split, of.request, **options), ()
    assert told.data is not None
    own = told.data
    rows = load_examples(own.rows, subject=own.subject)
    if not any(row.subject for row in rows):
        raise InputError(f"{own.rows}: no row has a subject under {own.subject!r}; name the column as data.subject")
    divided = by_subject(rows, own.forget, own.request, own.held_out, name=Path(own.rows).name)
    return divided.benchmark, divided.notes


def request_of(sets: Benchmark) -> Request:
    for request in ("visual", "textual", "both"):
        if sets.request == request:
            return request
    raise InputError(f"{sets.name}: no request {sets.request!r}")
