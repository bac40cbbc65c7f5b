"""Intervals and tests over people and seeds, as pure functions of numbers.

Where seeds are worlds, people live in one of them: a resample draws seeds with replacement, and in each drawn seed
people with replacement. Where all seeds have the same people (*crossed*), those of a resample are drawn once, for all
of its seeds: a person who is asked after three trainings is one person. All rows and all probes of a table are
resampled by the same draws, so that whatever is computed from several of them is paired: a person who is asked by sight
and by name is drawn for both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unsee.metrics.bootstrap import unseen, wilson

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Drawn = Sequence[Mapping[Hashable, Whole]]
Seed = Mapping[Hashable, Sequence[float]]  # person -> values; the same people in the same order in every row

RESAMPLES = 2000


def draw_seeds(count: int, resamples: int = RESAMPLES, seed: int = 0) -> Whole:
    """Which seeds each resample consists of; shape (resamples, count)."""
    return np.random.default_rng([seed, count]).integers(0, count, size=(resamples, count))


def draw_people(probes: Mapping[str, Sequence[Seed]], chosen: Whole, seed: int = 0, crossed: bool = False) -> Drawn:
    """How often each resample has drawn each person: one draw for all probes, for each drawn seed.

    People are drawn among those whom the same probes ask (who is to be forgotten, other people, celebrities), as many
    as there are, so that each probe keeps its number of people.

    Args:
        probes: for each probe the seeds with their people, as any row has them.
        chosen: from `draw_seeds`, for as many seeds.
        seed: of the draws.
        crossed: whether all seeds have the same people.

    Returns:
        For each seed a mapping from person to counts, of shape (times that the seed was drawn,).
    """
    if crossed:
        return _drawn_once(probes, chosen, seed)
    rng, draws = np.random.default_rng([seed, chosen.shape[1], 1]), []
    for number in range(chosen.shape[1]):
        draws.append(
            _counts({name: seeds[number] for name, seeds in probes.items()}, int((chosen == number).sum()), rng)
        )
    return draws


def _drawn_once(probes: Mapping[str, Sequence[Seed]], chosen: Whole, seed: int) -> Drawn:
    """The same draw of people for all seeds of a resample."""
    rng = np.random.default_rng([seed, chosen.shape[1], 1])
    counts = _counts({name: seeds[0] for name, seeds in probes.items()}, len(chosen), rng)
    resamples = [np.nonzero(chosen == number)[0] for number in range(chosen.shape[1])]
    return [{person: drawn[which] for person, drawn in counts.items()} for which in resamples]


def _counts(probes: Mapping[str, Seed], times: int, rng: np.random.Generator) -> dict[Hashable, Whole]:
    """How often each person of some probes is drawn, each time anew."""
    alike = defaultdict[frozenset[str], list[Hashable]](list)
    for person in dict.fromkeys(person for people in probes.values() for person in people):
        alike[frozenset(name for name, people in probes.items() if person in people)].append(person)
    counts: dict[Hashable, Whole] = {}
    for people in alike.values():
        drawn = rng.multinomial(len(people), np.full(len(people), 1 / len(people)), size=times)
        counts |= dict(zip(people, drawn.T, strict=True))
    return counts


def headcount(seeds: Sequence[Seed], crossed: bool = False) -> int:
    """How many people there are: those of all seeds, or where seeds share them, those of one."""
    return len(seeds[0]) if crossed else sum(map(len, seeds))


def resampled_means(seeds: Sequence[Seed], chosen: Whole, drawn: Drawn) -> Floats:
    """Mean over values for each seed that each resample has drawn.

    Args:
        seeds: for each seed its people with their values. People count by their number of values, as in the mean
            over values itself.
        chosen: from `draw_seeds`, for as many seeds.
        drawn: from `draw_people`.

    Returns:
        Shape (resamples, seeds). The mean over the last axis is the resampled score.

    Raises:
        ValueError: a seed without values.
    """
    means = np.empty(chosen.shape)
    for number, people in enumerate(seeds):
        sums = np.array([sum(values) for values in people.values()], dtype=np.float64)
        sizes = np.array([len(values) for values in people.values()], dtype=np.float64)
        if not sizes.sum():
            raise ValueError(f"seed number {number} has no values")
        counts = np.stack([drawn[number][person] for person in people])
        means[chosen == number] = (sums @ counts) / np.maximum(sizes @ counts, 1e-300)
    return means


def mean_of(seeds: Sequence[Seed]) -> float:
    """Mean over seeds of the mean over values, which `resampled_means` resamples."""
    return float(np.mean([np.mean([value for values in people.values() for value in values]) for people in seeds]))


@dataclass(frozen=True)
class Estimate:
    """A number with the interval around it."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """For JSON."""
        return {"value": self.value, "low": self.low, "high": self.high}


def interval(value: float, resampled: Floats, level: float = 0.95) -> Estimate:
    """Percentile interval from resampled values; shape (resamples,)."""
    tail = (1 - level) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return Estimate(value, float(low), float(high))


def score(seeds: Sequence[Seed], resampled: Floats, level: float = 0.95, crossed: bool = False) -> Estimate:
    """Mean of values in [0, 1] with its interval; Wilson's over people where no resample differs (all right, say).

    It is never surer than if all had been right, or wrong: see `unsee.metrics.bootstrap.unseen`.
    """
    estimate, people = interval(mean_of(seeds), resampled.mean(axis=1), level), headcount(seeds, crossed)
    low, high = estimate.low, estimate.high
    if high - low <= 1e-12:
        low, high = wilson(estimate.value, people, level)
    least, most = unseen(people, level)
    return Estimate(estimate.value, min(low, least), max(high, most))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number (Holm 1979): the k-th smallest of n times n - k + 1, never falling."""
    adjusted, worst = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = worst
    return adjusted
