"""Intervals and tests over people and seeds, as pure functions of numbers.

Seeds are worlds, and people live in one of them: a resample draws seeds with replacement, and in each drawn seed
people with replacement. All rows of a table are resampled by the same draws, so that whatever is computed from several
of them (a difference, a distance) is paired.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from unsee.metrics.interval import wilson

Floats = NDArray[np.float64]
Seed = Mapping[Hashable, Sequence[float]]  # person -> values; the same people in the same order in every row

RESAMPLES = 2000


def draw_seeds(count: int, resamples: int = RESAMPLES, seed: int = 0) -> NDArray[np.int64]:
    """Which seeds each resample consists of; shape (resamples, count)."""
    return np.random.default_rng([seed, count]).integers(0, count, size=(resamples, count))


def resampled_means(seeds: Sequence[Seed], chosen: NDArray[np.int64], key: str = "") -> Floats:
    """Mean over values for each seed that each resample has drawn.

    Args:
        seeds: for each seed its people with their values. People count by their number of values, as in the mean
            over values itself.
        chosen: from `draw_seeds`, for as many seeds.
        key: which draws of people to use. The same key, people and `chosen` give the same draws.

    Returns:
        Shape (resamples, seeds). The mean over the last axis is the resampled score.

    Raises:
        ValueError: a seed without values.
    """
    rng = np.random.default_rng([crc32(key.encode()), len(seeds)])
    means = np.empty(chosen.shape)
    for number, people in enumerate(seeds):
        sums = np.array([sum(values) for values in people.values()], dtype=np.float64)
        sizes = np.array([len(values) for values in people.values()], dtype=np.float64)
        if not sizes.sum():
            raise ValueError(f"seed number {number} has no values")
        drawn_here = chosen == number
        drawn = rng.integers(0, len(sums), size=(int(drawn_here.sum()), len(sums)))
        means[drawn_here] = sums[drawn].sum(axis=1) / np.maximum(sizes[drawn].sum(axis=1), 1e-300)
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


def score(seeds: Sequence[Seed], resampled: Floats, level: float = 0.95) -> Estimate:
    """Mean of values in [0, 1] with its interval; Wilson's over people where no resample differs (all right, say)."""
    found = interval(mean_of(seeds), resampled.mean(axis=1), level)
    if found.high - found.low > 1e-12:
        return found
    return Estimate(found.value, *wilson(found.value, sum(len(people) for people in seeds), level))


def p_value(resampled: Floats) -> float:
    """Two-sided bootstrap p-value that a difference is zero: twice the share of resamples on the rarer side of it.

    Zeros count on both sides, and one resample is added to either, so that p is never 0.
    """
    below, above = float((resampled <= 0).sum()), float((resampled >= 0).sum())
    return min(1.0, 2 * (min(below, above) + 1) / (len(resampled) + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number (Holm 1979): the k-th smallest of n times n - k + 1, never falling."""
    adjusted, worst = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = worst
    return adjusted


def equivalent(resampled: Floats, margin: float, alpha: float = 0.05) -> bool:
    """Two one-sided tests (Schuirmann 1987): whether a difference lies within +-margin.

    Both are rejected at `alpha` exactly when the interval of level 1 - 2 alpha lies inside the margin.
    """
    low, high = np.quantile(resampled, [alpha, 1 - alpha])
    return bool(-margin < low and high < margin)


def not_worse(resampled: Floats, margin: float, alpha: float = 0.05) -> bool:
    """One one-sided test: whether a difference is above -margin."""
    return bool(np.quantile(resampled, alpha) > -margin)
