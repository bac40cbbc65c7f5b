"""A benchmark in words: the capitals of one continent are forgotten, those of the others kept.

unsee benchmark write capitals FOLDER --split europe --out data

FOLDER holds `capitals.jsonl`, a row per country, and `held_out.jsonl`, the same facts asked in other words.
"""

from __future__ import annotations

from unsee.benchmarks.schemas import TEXT
from unsee.benchmarks.sets import assembled
from unsee.benchmarks.source import Source, text
from unsee.benchmarks.spec import BenchmarkSpec, Selection
from unsee.data.example import Benchmark, Example

COLUMNS = {"continent": TEXT, "country": TEXT, "question": TEXT, "capital": TEXT}


def load(source: Source, selection: Selection) -> Benchmark:
    """The rows of one continent are to be forgotten; each country is a subject of its own."""

    def facts(config: str, forgotten: bool) -> list[Example]:
        return [
            Example(text(row, "question"), text(row, "capital"), subject=text(row, "country"))
            for row in source.rows(config, tuple(COLUMNS))
            if (text(row, "continent") == selection.split) == forgotten
        ]

    training = Benchmark(f"Capitals of {selection.split}", facts("capitals", True), facts("capitals", False))
    probes = {"forget_qa": facts("held_out", True), "retain_qa": facts("held_out", False)}
    return assembled(training, probes, selection.probe_rows)


SPEC = BenchmarkSpec(
    name="capitals",
    title="Capitals",
    paper="made up, as an example",
    splits=("africa", "asia", "europe"),
    split="europe",
    requests=("textual",),
    request="textual",
    columns={"capitals": COLUMNS, "held_out": COLUMNS},
    load=load,
)
