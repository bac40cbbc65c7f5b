"""Rows about many subjects, some of whom are to be forgotten: what to train on, and other rows to ask about the same.

Of every subject a part is held out: photographs, where there are two or more; else other wordings of a question that is
asked in several ways, known by its fact, or by its answer where facts have no names. What is asked once cannot be held
out. A model that has learned the rest ought to know what is held out, so that it can be asked who was forgotten.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass

from unsee.data.example import Benchmark, Example, Probe, Role
from unsee.data.held_out import HELD_OUT
from unsee.data.overlap import SPARED
from unsee.data.pictures import image_hash
from unsee.data.sets import asked as asked_of
from unsee.data.sets import check_sets
from unsee.errors import InputError, did_you_mean
from unsee.metrics.answers import normalise
from unsee.types import Request

_KINDS = {"vqa": True, "qa": False}  # ending of a probe's name -> whether its rows have pictures


@dataclass(frozen=True)
class Divided:
    """Rows as a benchmark, and sentences on what of them is measured."""

    benchmark: Benchmark
    notes: tuple[str, ...]


def by_subject(
    rows: Sequence[Example],
    forget: Collection[str],
    request: Request = "both",
    held_out: float = HELD_OUT,
    seed: int = 0,
    name: str = "rows",
) -> Divided:
    """Divide rows into what is to be forgotten, what is to be kept, and probes that hold other rows of both.

    Rows of others are retained, and for a visual request those in words alone are preserved, as are the rows of the
    forgotten subjects that the request spares.

    Args:
        rows: with subjects; those of nobody are to be kept.
        forget: subjects, in any case and with any blanks.
        request: what of them is to go.
        held_out: share of each subject's photographs, or of the wordings of each of its facts, that are only measured.
        seed: of the choice.
        name: of the benchmark.

    Returns:
        The benchmark, with probes `forget_vqa`, `forget_qa`, `retain_vqa`, `retain_qa`, `others_vqa` and `others_qa`
        (rows of nobody), of those that have rows. If nothing to be forgotten could be held out, the training rows are
        asked, and marked so.

    Raises:
        InputError: nobody is to be forgotten, no row is about one of them, none that the request asks to go, or one
            asks what a row to be kept asks.
    """
    gone = _known(rows, forget)
    groups = {
        "forget": [row for row in rows if _name(row.subject) in gone],
        "retain": [row for row in rows if row.subject and _name(row.subject) not in gone],
        "others": [row for row in rows if not row.subject],
    }
    out = {id(row) for some in groups.values() for row in _held_out(some, held_out, seed)}
    trained = asked_of(row for some in groups.values() for row in some if id(row) not in out)
    out -= {id(row) for row in rows if not trained.keys().isdisjoint(asked_of([row]))}  # of another subject, or fact
    train = {group: [row for row in some if id(row) not in out] for group, some in groups.items()}
    spared = SPARED.get(request)
    to_go = [row for row in train["forget"] if spared is None or (row.image is not None) != spared]
    if not to_go:
        kind = "with a picture" if request == "visual" else "in words"
        raise InputError(f"request {request}: the subjects to be forgotten have no row {kind}; choose another request")
    kept = [*train["retain"], *train["others"]]
    protected = [row for row in train["forget"] if spared is not None and (row.image is not None) == spared]
    if request == "visual":  # words are no part of what is unlearned, nor of what is trained on to keep the rest
        protected += [row for row in train["retain"] if row.image is None]
        kept = [row for row in kept if row.image is not None or not row.subject]
    asked = {group: [row for row in some if id(row) in out] for group, some in groups.items()}
    trained_on = not any(spared is None or (row.image is not None) != spared for row in asked["forget"])
    if trained_on:
        asked["forget"] += to_go
    probes = [probe for group, some in asked.items() for probe in _probes(group, some, request, trained_on)]
    check_sets(to_go, kept, probes, protected)
    benchmark = Benchmark(name, to_go, kept, protected, probes, request=request)
    return Divided(benchmark, tuple(_notes(groups["forget"], asked["forget"], trained_on)))


def _known(rows: Sequence[Example], forget: Collection[str]) -> set[str]:
    """The subjects to be forgotten, as they are compared."""
    if not forget:
        raise InputError("forget: names nobody; give at least one subject")
    subjects = {_name(row.subject): row.subject for row in rows if row.subject}
    if not subjects:
        raise InputError("no row has a subject; name the column that says whom a row is about")
    for name in forget:
        if _name(name) not in subjects:
            known = [subject for subject in subjects.values() if subject]
            raise InputError(f"forget: no row is about {name!r}{did_you_mean(name, known)}")
    return {_name(name) for name in forget}


def _name(subject: str | None) -> str:
    return " ".join((subject or "").split()).casefold()


def _held_out(rows: Iterable[Example], share: float, seed: int) -> list[Example]:
    """Of each subject, in pictures and in words, what is measured and not trained on."""
    of: dict[tuple[str, bool], list[Example]] = defaultdict(list)
    for row in rows:
        of[_name(row.subject), row.image is not None].append(row)
    return [row for (subject, _), some in sorted(of.items()) for row in _of_subject(some, share, f"{seed}/{subject}")]


def _of_subject(rows: Sequence[Example], share: float, seed: str) -> list[Example]:
    if rows[0].image is not None and (drawn := _drawn(rows, lambda row: image_hash(row.image), share, seed)):
        return drawn
    of_fact: dict[Hashable, list[Example]] = defaultdict(list)
    for row in rows:
        of_fact[row.fact or normalise(row.answer)].append(row)
    return [
        row
        for fact, some in of_fact.items()
        for row in _drawn(some, lambda row: normalise(row.question), share, f"{seed}/{fact}")
    ]


def _drawn(rows: Sequence[Example], key: Callable[[Example], Hashable], share: float, seed: str) -> list[Example]:
    """The rows of a share of the groups; none where there is one group alone."""
    groups = sorted({key(row) for row in rows}, key=repr)
    if len(groups) < 2:
        return []
    count = min(len(groups) - 1, max(1, math.floor(share * len(groups) + 0.5)))
    out = set(random.Random(seed).sample(groups, count))
    return [row for row in rows if key(row) in out]


def _probes(group: str, rows: Sequence[Example], request: Request, trained_on: bool) -> list[Probe]:
    probes = []
    for ending, pictured in _KINDS.items():
        of_kind = [row for row in rows if (row.image is not None) == pictured]
        goes = group == "forget" and SPARED.get(request) != pictured
        role: Role = "forget" if goes else "keep"
        if of_kind:
            probes.append(Probe(f"{group}_{ending}", of_kind, trained_on=goes and trained_on, role=role))
    return probes


def _notes(forget: Sequence[Example], asked: Sequence[Example], trained_on: bool) -> Iterable[str]:
    if trained_on:
        yield (
            "Nothing of what is to be forgotten is shown twice or asked in two ways, so that none could be held out: "
            "training rows are measured."
        )
        return
    silent = {row.subject for row in forget} - {row.subject for row in asked}
    if silent:
        yield (
            f"Of {len({row.subject for row in forget})} subjects to be forgotten, {len(silent)} have neither a second "
            "photograph nor a fact that is asked in two ways; they are not measured."
        )
