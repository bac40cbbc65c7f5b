"""What a bench found, as numbers with intervals: scores, distances to gold, paired differences, equivalence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from unsee.data.example import Role
from unsee.evaluation.criteria import EQUIVALENCE_MARGIN, counted
from unsee.evaluation.records import Record
from unsee.leaderboard import bounds, statistics
from unsee.leaderboard.board import Outcome
from unsee.leaderboard.bounds import ALPHA
from unsee.leaderboard.ground import Ground
from unsee.leaderboard.plan import BASE, GOLD
from unsee.leaderboard.statistics import Estimate, Floats

# What is known of the claim that a row is like gold on a probe: that it holds, that it does not, neither of both with
# these answers, or that no answers of so few people could show it.
Standing = Literal["shown", "differs", "open", "too few people"]


_LOTS = 1000


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
            `unsee.evaluation.criteria`); rows whose training broke on some seed are left out.
        targets: the probes whose answers were to go.
        crossed: whether all seeds have the same people; see `unsee.leaderboard.statistics`.
    """

    def __init__(
        self,
        scored: Mapping[str, Mapping[str, Sequence[statistics.Seed]]],
        targets: Sequence[str],
        crossed: bool = False,
    ) -> None:
        self.scored, self.crossed = scored, crossed
        self.rows = list(scored)
        self.probes = list(scored[BASE])
        self.targets = tuple(targets)
        self.kept = [probe for probe in self.probes if probe not in self.targets]
        self._resampled: dict[tuple[str, str], Floats] = {}

    @cached_property
    def _chosen(self) -> statistics.Whole:
        return statistics.draw_seeds(len(self.scored[BASE][self.probes[0]]))

    @cached_property
    def _drawn(self) -> statistics.Drawn:
        return statistics.draw_people(self.scored[BASE], self._chosen, crossed=self.crossed)

    def resampled(self, row: str, probe: str) -> Floats:
        """Scores of a row in each resample, by drawn seed; shape (resamples, seeds)."""
        key = (row, probe)
        if key not in self._resampled:
            self._resampled[key] = statistics.resampled_means(self.scored[row][probe], self._chosen, self._drawn)
        return self._resampled[key]

    def score(self, row: str, probe: str) -> Estimate:
        """Share of right answers with its 95 % interval."""
        return statistics.score(self.scored[row][probe], self.resampled(row, probe), crossed=self.crossed)

    def by_seed(self, row: str, probe: str) -> Floats:
        """Share of right answers on each seed."""
        return np.array([statistics.mean_of([of_seed]) for of_seed in self.scored[row][probe]])

    def distance(self, row: str) -> Estimate:
        """Mean over seeds of the distance that selection uses, on the reported worlds.

        Gaps without a sign only add up: what varies by chance makes a distance larger, resampled ones twice over. The
        interval therefore reaches as far down as resampling reaches up. It is at least as wide as what people of whom
        none was met leave open on one probe. `distance_by_chance` says what to expect of two equal models.
        """
        at = {(name, p): self.by_seed(name, p) for name in (row, BASE, GOLD) for p in self.probes}
        value = float(self._distances(at, row).mean())
        if row == GOLD:
            return Estimate(value, value, value)
        at = {(name, p): self.resampled(name, p) for name, p in at}
        reach = float(np.quantile(self._distances(at, row).mean(axis=1), 0.975)) - value
        half = max(reach, *(self._weight(probe) * self._unseen(probe) for probe in self.probes))
        return Estimate(value, max(0.0, value - half), value + half)

    def distance_by_chance(self, row: str) -> float:
        """The mean distance if row and gold were alike: lots decide, person by person, whose answers are whose."""
        lots = np.random.default_rng(len(self.probes))
        swapped: list[dict[Any, Floats]] = [
            {person: lots.integers(0, 2, _LOTS).astype(float) for person in people} for people in self._people()
        ]
        if self.crossed:  # who is swapped is swapped under every seed
            swapped = [swapped[0]] * len(swapped)
        base = {p: self.by_seed(BASE, p) for p in self.probes}
        at = {(BASE, p): np.broadcast_to(base[p], (_LOTS, len(base[p]))) for p in self.probes}
        for probe in self.probes:
            own, other = (self._mixed(row, GOLD, probe, swapped), self._mixed(GOLD, row, probe, swapped))
            at |= {(row, probe): own, (GOLD, probe): other}
        return float(self._distances(at, row).mean())

    def _people(self) -> list[list[Any]]:
        """Everyone who is asked by some probe, seed by seed."""
        seeds = zip(*self.scored[BASE].values(), strict=True)
        return [list(dict.fromkeys(person for people in of_seed for person in people)) for of_seed in seeds]

    def _mixed(self, row: str, rival: str, probe: str, swapped: Sequence[Mapping[Any, Floats]]) -> Floats:
        """Scores of a row, by seed, with the rival's answers for whom the lots have swapped; shape (lots, seeds)."""
        means = []
        for own, other, lots in zip(self.scored[row][probe], self.scored[rival][probe], swapped, strict=True):
            total = sum(sum(own[who]) + lots[who] * (sum(other[who]) - sum(own[who])) for who in own)
            means.append(total / sum(map(len, own.values())))
        return np.stack(means, axis=1)

    def _weight(self, probe: str) -> float:
        """Of a probe in the distance."""
        return 0.5 / len(self.targets if probe in self.targets else self.kept)

    def _unseen(self, probe: str) -> float:
        """Share of people who may be otherwise without one of them among those who were asked (97.5 %)."""
        return float(1 - 0.025 ** (1 / self.people(probe)))

    def people(self, probe: str) -> int:
        """How many people a probe asks, over all seeds; each once."""
        return statistics.headcount(self.scored[BASE][probe], self.crossed)

    def _distances(self, at: Mapping[tuple[str, str], Floats], row: str) -> Floats:
        gaps = np.mean([np.abs(at[row, p] - at[GOLD, p]) for p in self.targets], axis=0)
        kept = [np.maximum(0, np.minimum(at[GOLD, p], at[BASE, p]) - at[row, p]) for p in self.kept]
        distances: Floats = 0.5 * gaps + (0.5 * np.mean(kept, axis=0) if kept else 0.0)
        return distances

    def differences(self, row: str, rival: str, probe: str) -> bounds.Differences:
        """Row minus rival, person by person."""
        return bounds.differences(self.scored[row][probe], self.scored[rival][probe], self.crossed)

    def difference(self, row: str, rival: str, probe: str) -> Estimate:
        """Row minus rival with its 95 % interval."""
        return bounds.interval(self.differences(row, rival, probe).spread)

    def compare(self, pairs: Sequence[tuple[str, str]], probes: Sequence[str]) -> list[Comparison]:
        """Paired comparisons of some rows on some probes, with p-values adjusted for all of them (Holm)."""
        asked = [(row, rival, probe) for row, rival in pairs for probe in probes]
        raw = [bounds.p_value(self.differences(*triple)) for triple in asked]
        return [
            Comparison(probe, row, rival, self.difference(row, rival, probe), p)
            for (row, rival, probe), p in zip(asked, statistics.holm(raw), strict=True)
        ]

    def standing(self, row: str, probe: str) -> Standing:
        """What is known of a row being like gold on a probe.

        On what was to go, like gold is a difference within the margin, on both sides (two one-sided tests, Schuirmann
        1987); on the rest, a shortfall within it. Either is shown, or shown not to be so, at 5 %.
        """
        spread = self.differences(row, GOLD, probe).spread
        target = probe in self.targets
        low, high = bounds.lower(spread), bounds.upper(spread)
        if high < -EQUIVALENCE_MARGIN or (target and low > EQUIVALENCE_MARGIN):
            return "differs"
        if self.people(probe) < bounds.people_needed(EQUIVALENCE_MARGIN):
            return "too few people"
        return "shown" if low > -EQUIVALENCE_MARGIN and (high < EQUIVALENCE_MARGIN or not target) else "open"

    def misses(self, row: str) -> list[str]:
        """Probes on which it is not shown that a row reaches gold; see `reaches_gold`."""
        return [probe for probe in (*self.targets, *self.kept) if self.standing(row, probe) != "shown"]

    def reaches_gold(self, row: str) -> bool:
        """Like gold on what was to go, and not below it by the margin on anything else; see `standing`.

        All of these have to be shown at 5 %, so no correction for their number is due (intersection-union test).
        """
        return not self.misses(row)


def results(outcome: Outcome) -> Results:
    """Read the records of what was reported."""
    ground, of_base = outcome.plan.ground, [cell.records() for cell in outcome.reported[BASE]]
    probes = [probe for probe in outcome.reported[BASE][0].scores["scores"] if _counts(probe, of_base, ground)]
    by_row = {probe for probe in probes if ground.crossed and len({one.subject for one in of_base[0][probe]}) == 1}
    scored = {
        row: {
            probe: [
                people(of_seed[probe], base[probe], ground.role(probe) or "keep", by_row=probe in by_row)
                for of_seed, base in zip(records, of_base, strict=True)
            ]
            for probe in probes
        }
        for row, records in reported_records(outcome).items()
    }
    return Results(scored, [probe for probe in probes if ground.role(probe) == "forget"], ground.crossed)


def reported_records(outcome: Outcome) -> dict[str, list[dict[str, list[Record]]]]:
    """For each row and seed the records of every probe; rows whose training broke on some seed are left out."""
    return {
        row: [cell.records() for cell in row_cells]
        for row, row_cells in outcome.reported.items()
        if not any(cell.scores.get("failed") for cell in row_cells)
    }


def _counts(probe: str, of_base: Sequence[Mapping[str, Sequence[Record]]], ground: Ground) -> bool:
    """Whether some answer of a probe counts, under every seed."""
    return all(any(counted(base[probe], ground.role(probe) or "keep")) for base in of_base)


def people(records: Sequence[Record], base: Sequence[Record], role: Role, by_row: bool = False) -> statistics.Seed:
    """Who was asked what counts, and which answers were right.

    Args:
        records: of one probe.
        base: of the model before, on the same.
        role: what the probe is for.
        by_row: let each row stand for itself, where all are about one person.
    """
    answers: dict[Any, list[float]] = {}
    for record, counts in zip(records, counted(base, role), strict=True):
        if counts:
            # A row about nobody stands for itself, on its own probe alone.
            alone = by_row or not record.subject
            answers.setdefault((record.probe, record.index) if alone else record.subject, []).append(
                float(record.correct)
            )
    return answers
