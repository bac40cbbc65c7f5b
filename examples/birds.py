"""A benchmark of one's own, in one file: photographs of garden birds, of which one species is to be forgotten.

    unsee benchmark list examples/birds.py:SPEC
    unsee benchmark check examples/birds.py:SPEC FOLDER
    unsee benchmark write examples/birds.py:SPEC FOLDER --split wren --out data
    unsee benchmark score examples/birds.py:SPEC runs/npo/records/npo

FOLDER holds two Parquet files, `photos.parquet` to train on and `held_out.parquet` to measure on.
"""

from __future__ import annotations

from collections.abc import Iterator

from unsee.benchmarks.findings import Configs, Finding, some
from unsee.benchmarks.schemas import IMAGE, TEXT
from unsee.benchmarks.sets import assembled
from unsee.benchmarks.source import Source, text
from unsee.benchmarks.spec import BenchmarkSpec, Records, Scores, Selection
from unsee.data.example import Benchmark, Example
from unsee.data.rows import Row
from unsee.metrics.multiple_choice import contains_answer
from unsee.metrics.truth_ratio import TruthRatio

COLUMNS = {"image": IMAGE, "species": TEXT}
QUESTION = "Which bird is this?"


def load(source: Source, selection: Selection) -> Benchmark:
    """One species is forgotten, the others are kept."""

    def birds(config: str, forgotten: bool) -> list[Example]:
        examples = []
        for row in source.rows(config, tuple(COLUMNS)):
            species = text(row, "species")
            if (species == selection.split) == forgotten:
                asked = {"image": row.values["image"], "question": QUESTION, "answer": species, "subject": species}
                examples.append(Row(asked, row.where, row.folder).example())
        return examples

    training = Benchmark(f"Birds without the {selection.split}", birds("photos", True), birds("photos", False))
    probes = {"forget_vqa": birds("held_out", True), "retain_vqa": birds("held_out", False)}
    return assembled(training, probes, selection.probe_rows)


def unseen(configs: Configs) -> Iterator[Finding]:
    """Species that are measured and never trained on."""
    species = {name: {row["species"] for row in content.rows} for name, content in configs.items()}
    if missing := species.get("held_out", set()) - species.get("photos", set()):
        yield Finding("error", "held_out", f"species without training photographs: {some(missing)}")


def score(records: Records, _gold: Records | None, _variant: TruthRatio) -> Scores:
    """How often the species is named, on each probe."""
    tasks = {}
    for probe in ("forget_vqa", "retain_vqa"):
        if rows := records.get(probe):
            named = sum(contains_answer(row["said"], row["expected"]) for row in rows) / len(rows)
            tasks[probe] = {"named": named, "n": len(rows)}
    return Scores(tasks, {"forgotten": 1 - tasks["forget_vqa"]["named"] if "forget_vqa" in tasks else None})


SPEC = BenchmarkSpec(
    name="birds",
    title="Garden birds",
    paper="made up, as an example",
    splits=("robin", "wren"),
    split="robin",
    requests=("visual",),
    request="visual",
    columns={"photos": COLUMNS, "held_out": COLUMNS},
    load=load,
    findings=unseen,
    score=score,
    max_new_tokens=8,
)
