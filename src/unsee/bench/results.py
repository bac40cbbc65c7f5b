"""What a bench found, as numbers with intervals: scores, distances to gold, paired differences, equivalence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from unsee.bench import statistics
from unsee.bench.leaderboard import BASE, GOLD, Outcome
from unsee.bench.statistics import Estimate, Floats
from unsee.criteria import EQUIVALENCE_MARGIN, FORGET_PROBES, Role, counted, role_of
from unsee.records import Record

MARGIN = EQUIVALENCE_MARGIN
ALPHA = 0.05

Records = Mapping[str, Sequence[Sequence[Record]]]  # probe -> the records of each seed


@dataclass(frozen=True)
class Comparison:
    """One row against another on one probe."""

    probe: str
    row: str
    rival: str
    difference: Estimate  # row minus rival, 95 %
    p: float  # adjusted for all comparisons that were made together

    @property
    def significant(self) -> bool:
        """Whether the difference is there at all."""
        return self.p < ALPHA


class Results:
    """Numbers of a finished bench. All rows are resampled by the same draws of seeds and people.

    Args:
        scored: for each row, probe and seed, who was asked and which answers were right, of those that count (see
            `unsee.criteria`); rows whose training broke on some seed are left out.
        request: what was to go.
    """

    def __init__(self, scored: Mapping[str, Mapping[str, Sequence[statistics.Seed]]], request: str) -> None:
        self.scored, self.request = scored, request
        self.rows = list(scored)
        self.probes = list(scored[BASE])
        self.targets = FORGET_PROBES[request]
        self.kept = [probe for probe in self.probes if probe not in self.targets]
        self._resampled: dict[tuple[str, str], Floats] = {}

    @cached_property
    def _chosen(self) -> Any:
        return statistics.draw_seeds(len(self.scored[BASE][self.probes[0]]))

    def resampled(self, row: str, probe: str) -> Floats:
        """Scores of a row in each resample, by drawn seed; shape (resamples, seeds)."""
        key = (row, probe)
        if key not in self._resampled:
            self._resampled[key] = statistics.resampled_means(self.scored[row][probe], self._chosen, probe)
        return self._resampled[key]

    def score(self, row: str, probe: str) -> Estimate:
        """Share of right answers with its 95 % interval."""
        return statistics.score(self.scored[row][probe], self.resampled(row, probe))

    def by_seed(self, row: str, probe: str) -> Floats:
        """Share of right answers on each seed."""
        return np.array([statistics.mean_of([one]) for one in self.scored[row][probe]])

    def distance(self, row: str) -> Estimate:
        """Mean over seeds of the distance that selection uses, on the reported worlds."""
        resampled = self._distances(
            {(name, p): self.resampled(name, p) for name in (row, BASE, GOLD) for p in self.probes}, row
        )
        found = self._distances(
            {(name, p): self.by_seed(name, p) for name in (row, BASE, GOLD) for p in self.probes}, row
        )
        return statistics.interval(float(found.mean()), resampled.mean(axis=1))

    def _distances(self, at: Mapping[tuple[str, str], Floats], row: str) -> Floats:
        gaps = np.mean([np.abs(at[row, p] - at[GOLD, p]) for p in self.targets], axis=0)
        kept = [np.maximum(0, np.minimum(at[GOLD, p], at[BASE, p]) - at[row, p]) for p in self.kept]
        found: Floats = 0.5 * gaps + 0.5 * np.mean(kept, axis=0)
        return found

    def differences(self, row: str, rival: str, probe: str) -> Floats:
        """Row minus rival in each resample; shape (resamples,)."""
        found: Floats = (self.resampled(row, probe) - self.resampled(rival, probe)).mean(axis=1)
        return found

    def difference(self, row: str, rival: str, probe: str) -> Estimate:
        """Row minus rival with its 95 % interval."""
        value = float((self.by_seed(row, probe) - self.by_seed(rival, probe)).mean())
        return statistics.interval(value, self.differences(row, rival, probe))

    def compare(self, pairs: Sequence[tuple[str, str]], probes: Sequence[str]) -> list[Comparison]:
        """Paired comparisons of some rows on some probes, with p-values adjusted for all of them (Holm)."""
        asked = [(row, rival, probe) for row, rival in pairs for probe in probes]
        raw = [statistics.p_value(self.differences(*one)) for one in asked]
        return [
            Comparison(probe, row, rival, self.difference(row, rival, probe), p)
            for (row, rival, probe), p in zip(asked, statistics.holm(raw), strict=True)
        ]

    def equivalent(self, row: str, probe: str) -> bool:
        """Whether a row is within the margin of gold (two one-sided tests)."""
        return statistics.equivalent(self.differences(row, GOLD, probe), MARGIN)

    def not_worse(self, row: str, probe: str) -> bool:
        """Whether a row is not below gold by the margin."""
        return statistics.not_worse(self.differences(row, GOLD, probe), MARGIN)

    def misses(self, row: str) -> list[str]:
        """Probes on which it is not shown that a row reaches gold; see `reaches_gold`."""
        forgot = [probe for probe in self.targets if not self.equivalent(row, probe)]
        return forgot + [probe for probe in self.kept if not self.not_worse(row, probe)]

    def reaches_gold(self, row: str) -> bool:
        """Equivalent to gold on what was to go, and not below it by the margin on anything else.

        All of these have to be shown at 5 %, so no correction for their number is due (intersection-union test).
        """
        return not self.misses(row)


def results(outcome: Outcome) -> Results:
    """Read the records of what was reported."""
    request, base = outcome.plan.request, {}
    for probe in outcome.reported[BASE][0].records():
        base[probe] = [one.records()[probe] for one in outcome.reported[BASE]]
    scored = {}
    for row, found in outcome.reported.items():
        if any(one.scores.get("failed") for one in found):
            continue
        records = [one.records() for one in found]
        scored[row] = {
            probe: [
                people(of_seed[probe], of_base, role_of(probe, request))
                for of_seed, of_base in zip(records, base[probe], strict=True)
            ]
            for probe in outcome.reported[BASE][0].scores["scores"]
        }
    return Results(scored, request)


def people(records: Sequence[Record], base: Sequence[Record], role: Role) -> statistics.Seed:
    """Who was asked what counts, and which answers were right."""
    found: dict[Any, list[float]] = {}
    for record, counts in zip(records, counted(base, role), strict=True):
        if counts:
            found.setdefault(record.subject or record.index, []).append(float(record.correct))
    return found
