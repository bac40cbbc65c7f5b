"""What the leaderboard of a plan says of its rows, its people, and what its intervals do not cover."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from unsee.data import Benchmark
from unsee.leaderboard.ground import Stage
from unsee.leaderboard.halves import Halves


def what_is_to_go(sets: Benchmark, stop: Mapping[str, Any] | None, notes: Sequence[str]) -> str:
    """How much is to be forgotten, when trainings end where `stop` says so, and what was noted of the rows."""
    rows = f"{len(sets.forget)} rows are to be forgotten, all of them in every training."
    sentences = [f"{sets.name}, {sets.request} request: {rows}"]
    if stop is not None:
        sentences.append(f"Trainings end by stop: {json.dumps(stop)}.")
    return " ".join([*sentences, *notes])


def asked_about(halves: Halves, seeds: Sequence[int], stage: Stage) -> str:
    """With which seeds models were trained, and about how many people they were asked then."""
    forgotten, others = halves.people[stage]
    whom = f"{forgotten} people who are" if forgotten > 1 else "one person who is"
    if halves.one_person:
        whom = "half of the photographs and facts of the one person who is"
    people = f"{whom} to be forgotten and {others} other{'s' if others != 1 else ''}"
    return f"with seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}, asked about {people}"


def asked(sets: Benchmark) -> str:
    """On which rows answers are measured, those that were trained on by the names of their probes."""
    repeated = [probe.name for probe in sets.probes if probe.trained_on]
    held_out = "on held-out rows"
    return f"on training rows: {', '.join(repeated)}; {held_out}: the others" if repeated else held_out


def limits(halves: Halves, named: bool) -> list[str]:
    """What intervals do not cover; `named` where a prompt names those who are to be forgotten."""
    sentences = [
        "All seeds have the same people: intervals of scores draw people, and count all that is said of one, after "
        "whatever training, as one observation.",
        "The people by whom configurations were chosen are forgotten in the same trainings as those who are "
        "reported; they are not asked about again.",
    ]
    if halves.one_person:
        sentences.append(
            "One person alone is to be forgotten: halves are of photographs and facts, and what is said holds for "
            "further questions about that person."
        )
    if not named:
        sentences.append("No refusing prompt: those who are to be forgotten have no names, or are too many for one.")
    return sentences
