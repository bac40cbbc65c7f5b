"""The numbers of a benchmark's paper, one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from unsee.benchmarks.spec import BenchmarkSpec
from unsee.evaluation.records import Record
from unsee.evaluation.registry import metrics

Number = tuple[str | None, str, float | None, int | None]  # probe, metric, score, rows
SHARE = "exact_match"  # what `unsee evaluate` calls the share of right answers


def published(
    spec: BenchmarkSpec | None, records: Mapping[str, Sequence[Record]], gold: Mapping[str, Sequence[Record]]
) -> Iterator[Number]:
    """Each number with its probe, or None where it is about all of it; nothing for rows of one's own.

    One of a probe that has the name of a common metric, and is another number, has the benchmark's name before it.

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
    common = {SHARE, *metrics()}
    for probe, of_probe in scores.tasks.items():
        rows = len(records.get(probe, ())) or None
        for metric, score in of_probe.items():
            if metric != "n":
                yield probe, f"{spec.name} {metric}" if metric in common else metric, score, rows
