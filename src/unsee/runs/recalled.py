"""What a finished run asked: from its records, with the pictures of its data where these are still there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from unsee.data import Benchmark, Example, Probe, load_examples
from unsee.data.pictures import image_hash
from unsee.errors import InputError
from unsee.evaluation.records import Record
from unsee.evaluation.run_scores import RunScores
from unsee.evaluation.unreadable import without
from unsee.runs.settings import Settings

GONE = Path("gone")  # where the pictures would lie of which only the content is known


def recall(
    settings: Settings,
    scores: RunScores,
    base: Mapping[str, Sequence[Record]],
    earlier: Mapping[str, Sequence[Example]],
) -> tuple[Benchmark, list[str]]:
    """The probes of a run as they were asked, and its training rows as far as they can be read.

    Where the data of a probe have gone, or are others by now, its rows are those of the records. A picture that has
    gone, or is another one, is a path at which there is nothing.

    Args:
        settings: of the run.
        scores: what `scores.json` holds.
        base: what the model said before, by probe.
        earlier: rows of probes that an earlier run asked, by probe.

    Returns:
        The benchmark, and in a line each why data could not be read again.
    """
    lost: list[str] = []
    sets: dict[str, Any] = {role: _read(getattr(settings, role), lost) for role in ("forget", "retain", "preserve")}
    probes = []
    for name in base:
        named = settings.every_probe.get(name)
        rows = _read(named[0], lost) if named else sets.get(name, earlier.get(name, []))
        probes.append(Probe(name, rows, trained_on=name in scores.trained_on, role=scores.roles[name]))
    benchmark = without(Benchmark(settings.forget, **sets, probes=probes), scores.unreadable)
    return replace(benchmark, probes=[_as_asked(probe, base[probe.name], lost) for probe in benchmark.probes]), lost


def _read(source: str | None, lost: list[str]) -> list[Example]:
    """The rows of a source; none where it cannot be read, which `lost` then says."""
    if source is None:
        return []
    try:
        return load_examples(source, check_images=False, find_images=False)
    except InputError as error:
        lost.append(str(error))
        return []


def _as_asked(probe: Probe, records: Sequence[Record], lost: list[str]) -> Probe:
    """A probe with the rows of its records, and what the data add to them."""
    rows = [(row.question, row.answer, row.subject) for row in probe.examples]
    if rows != [(record.question, record.expected, record.subject) for record in records]:
        if rows:
            lost.append(f"the rows of probe {probe.name} are others than were asked")
        return replace(probe, examples=[_example(record) for record in records])
    asked = zip(probe.examples, records, strict=True)
    shown = replace(probe, examples=[replace(row, image=_picture(row, record)) for row, record in asked])
    if others := sum(isinstance(row.image, Path) and row.image.parent == GONE for row in shown.examples):
        lost.append(f"{others} pictures of probe {probe.name} are others than were shown")
    return shown


def _example(record: Record) -> Example:
    return Example(
        record.question,
        record.expected,
        image=GONE / record.image if record.image else None,
        subject=record.subject,
        fact=record.fact,
        id=record.id,
        answer_keywords=record.answer_keywords,
        choices=record.choices,
        objects=record.objects,
    )


def _picture(row: Example, record: Record) -> Path | bytes | None:
    """The picture of a row, unless it is another one than was shown."""
    if record.image is None or (isinstance(row.image, Path) and not row.image.is_file()):
        return row.image
    return row.image if image_hash(row.image) == record.image else GONE / record.image
