"""What a benchmark says about itself: all that commands need to check, load, write and score it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from unsee.benchmarks.findings import ConfigRows, Finding
from unsee.benchmarks.schemas import Columns
from unsee.benchmarks.source import Source
from unsee.data.example import Benchmark, Probe
from unsee.errors import InputError
from unsee.metrics.truth_ratio import TruthRatio
from unsee.types import REQUESTS

Records = Mapping[str, Sequence[Mapping[str, Any]]]  # rows of records, by probe


@dataclass(frozen=True)
class Selection:
    """Which part of a benchmark is loaded, and how.

    Attributes:
        split: what is forgotten, one of the benchmark's splits.
        request: what about it is to go, one of the benchmark's requests.
        seed: of whatever is drawn: wordings, the order of options, test images.
        probe_rows: measure at most so many rows per probe, spread evenly; None for all.
        training: the repository with the training questions, where the benchmark has them in one of their own; a hub
            id or a folder; None if its source holds them.
        known: the IDs of whom a model knows, the best known first, where the benchmark has a gate.
    """

    split: str
    request: str
    seed: int = 0
    probe_rows: int | None = None
    training: str | Path | None = None
    known: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Gate:
    """A question to the model before anything is written: whom of a benchmark's people does it know?

    Attributes:
        rule: who counts as known, in words.
        probes: what the model is asked, from an opened source and a seed.
        known: from its records, the IDs of those it knows with its accuracy, the best known first.
    """

    rule: str
    probes: Callable[[Source, int], Sequence[Probe]]
    known: Callable[[Records], Mapping[str, float]]


@dataclass(frozen=True)
class Scores:
    """The published numbers of a benchmark, for one model.

    Attributes:
        tasks: by probe, the numbers of its rows.
        numbers: those of the whole; None where records lack what one needs.
        splits: groups of numbers, each by the part of the benchmark that it is about.
    """

    tasks: Mapping[str, Mapping[str, float | int]]
    numbers: Mapping[str, float | None] = field(default_factory=dict)
    splits: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


class Score(Protocol):
    """Scores of the records of one model."""

    def __call__(self, records: Records, gold: Records | None, variant: TruthRatio, /) -> Scores:
        """The numbers of the benchmark's paper.

        Args:
            records: rows by probe; probes of other benchmarks are passed over.
            gold: the same of a model that never learned the forget set, if there is one.
            variant: of the truth ratio, see `unsee.metrics.truth_ratio`.

        Raises:
            InputError: gold was not asked the same rows.
        """
        ...


def _nothing_odd(_: Mapping[str, ConfigRows]) -> Iterator[Finding]:
    return iter(())


def _nothing_damaged(_benchmark: Benchmark, _source: Source, _split: str) -> Iterator[str]:
    return iter(())


@dataclass(frozen=True)
class BenchmarkSpec:
    """A published benchmark.

    Attributes:
        name: what the command line calls it: the name of its folder here.
        title: its name as its paper writes it.
        paper: who, when, and where to read it.
        splits: what can be forgotten.
        split: which of them where nobody says.
        requests: what about it can be asked to go: visual, textual or both.
        request: which of them where nobody says.
        columns: by configuration, in the order in which they are read and written.
        load: from an opened source; split and request are known to be among those above.
        findings: what is odd about the rows of all configurations that were found.
        damage: what is wrong with a copy of the sets of one split, a line each; pictures are looked at for all alike.
        score: the numbers of its paper; None where records do not give them.
        sometimes: columns that some published revisions go without.
        training: where training questions are published, if in a repository of their own.
        folders: by configuration, the folder of the repository that it lies in, where that has another name.
        gate: whom a model has to know, of a benchmark about what models know from elsewhere.
        max_new_tokens: answers are cut there, in the settings that are written; None leaves room for what each probe
            expects.

    Raises:
        InputError: a default that is none of its choices, a request that no run knows, or no columns.
    """

    name: str
    title: str
    paper: str
    splits: Sequence[str]
    split: str
    requests: Sequence[str]
    request: str
    columns: Mapping[str, Columns]
    load: Callable[[Source, Selection], Benchmark]
    findings: Callable[[Mapping[str, ConfigRows]], Iterator[Finding]] = _nothing_odd
    damage: Callable[[Benchmark, Source, str], Iterator[str]] = _nothing_damaged
    score: Score | None = None
    sometimes: frozenset[str] = frozenset()
    training: str | None = None
    folders: Mapping[str, str] = field(default_factory=dict)
    gate: Gate | None = None
    max_new_tokens: int | None = None

    def __post_init__(self) -> None:
        for what, default, choices in (("split", self.split, self.splits), ("request", self.request, self.requests)):
            if isinstance(choices, str) or default not in choices:
                raise InputError(f"benchmark {self.name}: {what}={default!r} is none of its {what}s {choices!r}")
        unknown = [request for request in self.requests if request not in REQUESTS]
        if unknown:
            raise InputError(f"benchmark {self.name}: no request {unknown[0]!r}; there are {', '.join(REQUESTS)}")
        if not self.columns:
            raise InputError(f"benchmark {self.name}: no columns; name those of each configuration")
