"""From records to numbers: pure functions, which no model has to be there for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from unsee.evaluation import results
from unsee.evaluation.criteria import known_to
from unsee.evaluation.records import Record
from unsee.evaluation.registry import measured
from unsee.metrics.bootstrap import Score, bootstrap_mean
from unsee.metrics.paired import paired_difference


@dataclass(frozen=True, slots=True)
class ProbeScore:
    """What one model scored on one probe. See `unsee.evaluation.criteria` for what counts as known to the base.

    Attributes:
        accuracy: share of exact matches over what the base knew, with a 95 % bootstrap interval over subjects.
        left_out: examples about facts that the base did not know.
        alone: examples among those that count about whose fact nothing else was asked, so that nothing tells whether
            the base knew it.
        everything: share of exact matches over all examples, with its interval.
        known_change: `accuracy` less that of the base, row by row; all NaN without a base.
        change: `everything` less that of the base, row by row; all NaN without a base.
        truncated: share of all answers that were cut before their turn had ended; None where records do not say.
        metrics: of `unsee.evaluation.registry` by name, over what the base knew, each over the rows that have what it
            needs; what no row has is not there.
    """

    accuracy: Score
    left_out: int
    alone: int
    everything: Score
    known_change: Score
    change: Score
    truncated: float | None = None
    metrics: dict[str, Score] = field(default_factory=dict)

    @property
    def ungated(self) -> float:
        """Share of exact matches over all examples."""
        return self.everything.score

    def result(self) -> results.Score:
        """As it is kept; missing numbers are None there."""
        further = {"ungated": self.everything, "known_change": self.known_change, "change": self.change}
        flat = {key: value for name, mean in further.items() for key, value in _flat(name, mean).items()}
        return results.Score(
            score=self.accuracy.score,
            low=self.accuracy.low,
            high=self.accuracy.high,
            n=self.accuracy.n,
            left_out=self.left_out,
            alone=self.alone,
            **flat,
            truncated=self.truncated,
            metrics={name: results.Interval.of(mean) for name, mean in self.metrics.items()},
        )

    def to_dict(self) -> dict[str, Any]:
        """Flat, for JSON: of metrics their means alone."""
        kept = self.result()
        means = {name: mean.score for name, mean in kept.metrics.items()}
        return {**kept.model_dump(exclude={"metrics"}), **means}


def _flat(name: str, mean: Score) -> dict[str, float]:
    return {name: mean.score, f"{name}_low": mean.low, f"{name}_high": mean.high}


def _asked(record: Record) -> Any:
    return record.question, record.expected, record.subject


def score(
    records: Sequence[Record],
    base: Sequence[Record] | None = None,
    seed: int = 0,
    known_by: Sequence[Record] | None = None,
) -> ProbeScore:
    """Score the records of one probe.

    Args:
        records: of the model to be scored.
        base: records of the starting model on the same probe, which say what was known and what has changed; None
            scores everything and compares with nothing.
        seed: of the bootstrap.
        known_by: records that say what was known, where they are not those of the base; see `unsee.evaluation.after`.
    """
    if base is not None and [_asked(record) for record in base] != [_asked(record) for record in records]:
        raise ValueError("base and model were not asked the same questions")
    first = base if known_by is None else known_by
    gate: list[bool | None] = known_to(first) if first is not None else [True] * len(records)
    places = [place for place, passed in enumerate(gate) if passed is not False]
    known = [records[place] for place in places]
    return ProbeScore(
        accuracy=_share(known, seed),
        left_out=len(records) - len(known),
        alone=gate.count(None),
        everything=_share(records, seed),
        known_change=_change(known, [base[place] for place in places] if base is not None else None),
        change=_change(records, base),
        truncated=truncated_share(records),
        metrics=measured(known, seed),
    )


def _share(records: Sequence[Record], seed: int) -> Score:
    """Share of exact matches, with its interval over subjects."""
    right = [float(record.correct) for record in records]
    return bootstrap_mean(right, [record.subject for record in records], seed=seed)


def _change(records: Sequence[Record], base: Sequence[Record] | None) -> Score:
    """How many more are right than by the base, as a share, with its interval over subjects."""
    if base is None:
        return Score(math.nan, math.nan, math.nan, 0)
    now, before = ([float(record.correct) for record in of_model] for of_model in (records, base))
    return paired_difference(now, before, [record.subject for record in records])


def truncated_share(records: Iterable[Record]) -> float | None:
    """Share of answers that were cut, of those that say whether they were; None where none does."""
    known = [float(record.truncated) for record in records if record.truncated is not None]
    return fmean(known) if known else None
