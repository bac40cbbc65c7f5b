"""Is a copy of a benchmark whole, as far as a request needs it? What a loader would pass over is looked for here.

`unsee benchmark check` reads every configuration through and says all that is odd, published oddities among it. This
looks at the sets of one request alone, and only for what a copy gets by being cut, joined or edited: people who are
missing, in both sets or there twice, rows that are there twice, questions or answers that are gone, pictures that
cannot be decoded. What a benchmark looks for itself (`BenchmarkSpec.damage`) is put together from the checks here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from unsee.benchmarks.findings import some
from unsee.benchmarks.source import Folder, Source
from unsee.benchmarks.spec import BenchmarkSpec
from unsee.data.example import Benchmark, Example
from unsee.data.pictures import image_hash
from unsee.errors import InputError
from unsee.system.progress import progress


def damage(benchmark: Benchmark, source: Source, spec: BenchmarkSpec, split: str) -> list[str]:
    """What is wrong with a copy, a line each; empty for one that is whole.

    Args:
        benchmark: as it was loaded from the copy.
        source: where it was loaded from.
        spec: which benchmark it is.
        split: what is forgotten.

    Raises:
        InputError: a file cannot be read.
    """
    return [*spec.damage(benchmark, source, split), *_broken(sets_of(benchmark))]


def sets_of(benchmark: Benchmark) -> dict[str, Sequence[Example]]:
    """Every set of a benchmark by its name."""
    sets = {"forget": benchmark.forget, "retain": benchmark.retain, "preserve": benchmark.preserve}
    return sets | {probe.name: probe.examples for probe in benchmark.probes}


def column(source: Source, config: str, name: str) -> list[Any]:
    """The values of one column of a configuration."""
    return [row.values[name] for row in source.rows(config, (name,))]


def repeated(people: Mapping[str, Sequence[Any]]) -> Iterator[str]:
    """People who are there twice, by configuration."""
    for config, ids in people.items():
        if twice := [number for number, count in Counter(ids).items() if count > 1]:
            yield f"{config}: people that are there twice: {some(twice)}"


def apart(sets: Mapping[str, Sequence[Any]], forget: str, retain: str, what: str = "people") -> Iterator[str]:
    """Whether nobody is both forgotten and retained."""
    if common := set(sets[forget]) & set(sets[retain]):
        yield f"{forget} and {retain}: {len(common)} {what} in both: {some(common)}"


def complete(source: Source, there: Sequence[Any], full: str, name: str, what: str = "people") -> Iterator[str]:
    """Whether everybody of the whole is in one of the two sets; on the hub the whole is not fetched for that."""
    whole = column(source, full, name) if isinstance(source, Folder) and source.has(full) else []
    if gone := set(whole) - set(there):
        yield f"{len(gone)} {what} of {full} are neither forgotten nor retained: {some(gone)}"


def lost(people: Iterable[Any], measured: Iterable[Any], config: str) -> Iterator[str]:
    """Whether everybody who is to be forgotten is measured."""
    if gone := set(people) - set(measured):
        yield f"{config}: {len(gone)} people who are to be forgotten are missing: {some(gone)}"


def blocks(config: str, questions: int, per_person: int) -> Iterator[str]:
    """Whether every block is full: no column says whom a question is about, they stand in blocks, one per person."""
    if questions % per_person:
        yield f"{config}: {questions} questions, which are not {per_person} a person"


def doubled(benchmark: Benchmark, drawn: Collection[str] = ()) -> Iterator[str]:
    """Rows that are there twice.

    Args:
        benchmark: as it was loaded.
        drawn: probes whose questions are drawn by the place of the row, so that a doubled row asks two of them.
    """
    for name, rows in sets_of(benchmark).items():
        first: dict[tuple[Any, ...], int] = {}
        twice = []
        for number, row in enumerate(rows, start=1):
            asked = "" if name in drawn else row.question
            if first.setdefault((image_hash(row.image), asked, row.answer), number) != number:
                twice.append(number)
        if twice:
            yield f"{name}: {len(twice)} rows are there twice: {some(twice)}"


def _broken(sets: Mapping[str, Sequence[Example]]) -> Iterator[str]:
    """Pictures that cannot be decoded, each looked at once."""
    rows = [(name, number, row) for name, examples in sets.items() for number, row in enumerate(examples, start=1)]
    seen: set[Any] = {None}
    for name, number, row in progress(rows, "checking pictures"):
        if row.image not in seen:
            seen.add(row.image)
            try:
                row.picture()
            except InputError as error:
                yield f"{name}, row {number}: {error}"
