"""What gold learns of every benchmark here, whatever is to go: nothing of it, and else all that the base learns."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.benchmarks.fiubench.copies import written
from unsee.benchmarks import built_in, find
from unsee.benchmarks.source import open_source
from unsee.benchmarks.spec import BenchmarkSpec, Selection
from unsee.data import Benchmark, Example
from unsee.metrics.answers import normalise
from unsee.runs.supervised.lessons import asked_besides

CELEBRITIES = tuple(f"{number:03}" for number in range(41, 49))  # of the exported world, all of whom a model knows


def asked(rows: Iterable[Example]) -> set[tuple[object, str]]:
    """What a model is given, but for case and punctuation."""
    return {(row.image, normalise(row.question)) for row in rows}


@pytest.fixture(scope="session")
def fiubench_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("fiubench"))


@pytest.fixture
def folder(name: str, request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(f"{'mllmu' if name == 'pulse' else name}_folder")
    return path


def everything(spec: BenchmarkSpec, folder: Path) -> dict[Selection, Benchmark]:
    """A benchmark by every split and request of which the folder has the files."""
    source = open_source(folder, spec.folders)
    splits = [split for split in spec.splits if spec.name != "tofu" or source.has(split)]
    chosen = [
        Selection(split, request, known=CELEBRITIES if spec.gate else None)
        for split in splits
        for request in spec.requests
    ]
    return {selection: spec.load(source, selection) for selection in chosen}


@pytest.mark.parametrize("name", built_in())
def test_gold_learns_nothing_that_is_to_be_forgotten(name: str, folder: Path) -> None:
    for selection, loaded in everything(find(name), folder).items():
        what = f"{name} {selection}"
        assert loaded.forget, what
        learned = {role: list(getattr(loaded, f"{role}_rows")) for role in ("base", "gold")}
        assert asked(learned["base"]) == asked(learned["gold"]) | asked(loaded.forget), what
        for rows in (learned["gold"], [*learned["gold"], *asked_besides(learned["gold"], loaded.probes, "gold")]):
            assert asked(rows).isdisjoint(asked(loaded.forget)), what
            about = {(row.subject, row.image is not None) for row in loaded.forget if row.subject}
            assert about.isdisjoint((row.subject, row.image is not None) for row in rows), what


@pytest.mark.parametrize("name", built_in())
def test_who_is_forgotten_is_asked_for_what_is_to_go(name: str, folder: Path) -> None:
    """Probes that are to go ask about people to be forgotten, in a way that is to go; those that stay ask nothing."""
    for selection, loaded in everything(find(name), folder).items():
        forgotten = {(row.subject, row.image is not None) for row in loaded.forget if row.subject}
        for probe in loaded.probes:
            about = {(row.subject, row.image is not None) for row in probe.examples if row.subject}
            what = f"{name} {selection} {probe.name}"
            assert about <= forgotten if probe.role == "forget" else about.isdisjoint(forgotten), what
