"""Who is looked at when configurations are chosen, and who when they are reported: two halves, with nobody in both.

People are halved, those to be forgotten, those to be kept and those of whom nothing is trained on each among
themselves. Where there is but one of a kind, that person's photographs and facts are. Rows of nobody go by their
picture, or by their question.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from random import Random

from unsee.data import Benchmark, Example, Probe
from unsee.data.pictures import image_hash
from unsee.errors import InputError
from unsee.leaderboard.ground import Stage
from unsee.metrics.answers import normalise

STAGES: tuple[Stage, Stage] = ("development", "reporting")


@dataclass(frozen=True)
class Halves:
    """The probes of a benchmark, each in two.

    Attributes:
        probes: by stage; a probe of which a stage has no row is not there.
        people: by stage, how many to be forgotten and how many others are asked about.
        one_person: whether one person alone is to be forgotten, whose photographs and facts were halved.
    """

    probes: Mapping[Stage, list[Probe]]
    people: Mapping[Stage, tuple[int, int]]
    one_person: bool


def halve(benchmark: Benchmark, seed: int = 0) -> Halves:
    """Halve the people of a benchmark; the same people, in whatever order, are halved alike.

    Args:
        benchmark: with training rows, which say who is to be forgotten, and probes.
        seed: of the shuffle.

    Raises:
        InputError: what is to go is too little to be halved.
    """
    kinds = _Kinds(benchmark)
    units: dict[str, set[Hashable]] = {}
    for row in _rows(benchmark.probes):
        kind, unit = kinds.unit(row)
        units.setdefault(kind, set()).add(unit)
    reporting = {(kind, unit) for kind, some in units.items() for unit in _second_half(some, f"{seed}/{kind}")}
    probes: dict[Stage, list[Probe]] = {}
    for stage in STAGES:
        for_later = stage == "reporting"
        halved = [
            replace(probe, examples=[row for row in probe.examples if (kinds.unit(row) in reporting) == for_later])
            for probe in benchmark.probes
        ]
        probes[stage] = [probe for probe in halved if probe.examples]
        if not any(probe.role == "forget" for probe in probes[stage]):
            raise InputError(
                f"{benchmark.name}: too little is asked of what is to go to choose on one half of it and report on "
                "the other; give rows of two subjects, or two photographs or facts of one"
            )
    people = {stage: kinds.count(probes[stage]) for stage in STAGES}
    return Halves(probes, people, len(kinds.forgotten) == 1)


def _rows(probes: Iterable[Probe]) -> Iterable[Example]:
    return (row for probe in probes for row in probe.examples)


def _second_half(units: Iterable[Hashable], seed: str) -> list[Hashable]:
    """The larger half, where their number is odd: it is what is reported."""
    order = sorted(units, key=repr)
    Random(seed).shuffle(order)
    return order[len(order) // 2 :]


class _Kinds:
    """Of what kind each subject is, and by what its rows are halved."""

    def __init__(self, benchmark: Benchmark) -> None:
        trained = [*benchmark.retain, *benchmark.preserve, *benchmark.learned]
        self.forgotten = {name for row in benchmark.forget if (name := _name(row))}
        self.kept = {name for row in trained if (name := _name(row))} - self.forgotten
        asked = {name for row in _rows(benchmark.probes) if (name := _name(row))}
        of = {kind: {name for name in asked if self._kind(name) == kind} for kind in ("forget", "retain", "elsewhere")}
        self.alone = {next(iter(names)) for names in of.values() if len(names) == 1}

    def _kind(self, name: str) -> str:
        return "forget" if name in self.forgotten else "retain" if name in self.kept else "elsewhere"

    def unit(self, row: Example) -> tuple[str, Hashable]:
        """What is never in both halves, and among what it is shuffled."""
        name = _name(row)
        if name and name not in self.alone:
            return self._kind(name), name
        kind = f"{self._kind(name)}, one person" if name else "nobody"
        if row.image is not None:
            return f"{kind}, pictures", image_hash(row.image)
        return f"{kind}, words", (name and row.fact) or normalise(row.question)

    def count(self, probes: Iterable[Probe]) -> tuple[int, int]:
        """How many people to be forgotten, and how many others, some probes are about."""
        names = {name for row in _rows(probes) if (name := _name(row))}
        return len(names & self.forgotten), len(names - self.forgotten)


def _name(row: Example) -> str | None:
    return " ".join(row.subject.split()).casefold() if row.subject else None
