"""The numbers of a benchmark's paper, one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from unsee.benchmarks.spec import BenchmarkSpec
from unsee.evaluation.records import Record

Number = tuple[str | None, str, float | None, int | None]  # probe, metric, score, rows


def published(
    spec: BenchmarkSpec | None, records: Mapping[str, Sequence[Record]], gold: Mapping[str, Sequence[Record]]
) -> Iterator[Number]:
    """Each number with its probe, or None where it is about all of it; nothing for rows of one's own.

    Args:
        spec: of the benchmark.
        records: of one model, by probe.
        gold: of gold, on the same.
    """
    if spec is None or spec.score is None:
        return
    own, other = ({probe: [row.row() for row in rows] for probe, rows in of.items()} for of in (records, gold))
    scores = spec.score(own, other, "geometric")
    for number, value in scores.numbers.items():
        yield None, number, value, None
    for group, numbers in scores.splits.items():
        for split, share in numbers.items():
            yield None, f"{split}, {group}", share, None
    for probe, of_probe in scores.tasks.items():
        for metric, score in of_probe.items():
            if metric != "n":
                yield probe, metric, score, len(records.get(probe, ())) or None
