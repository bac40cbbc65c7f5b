"""Means with intervals over people.

Several answers about one person stand or fall together, so the interval resamples people, not answers. The mean
stays the mean over answers.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_CELLS = 4_000_000  # resampled group indices held at once: 32 MB


@dataclass(frozen=True, slots=True)
class Score:
    """A mean over `n` examples and the interval around it; NaN where there is nothing to say."""

    score: float
    low: float
    high: float
    n: int

    def to_dict(self) -> dict[str, float | int | None]:
        """The four numbers for JSON, which has no NaN: a number that does not exist is None."""
        bounds = {"score": self.score, "low": self.low, "high": self.high}
        return {**{name: value if math.isfinite(value) else None for name, value in bounds.items()}, "n": self.n}


def bootstrap_mean(
    values: Sequence[float],
    groups: Sequence[Hashable | None] | None = None,
    seed: int = 0,
    resamples: int = 2000,
    level: float = 0.95,
) -> Score:
    """Mean over examples with a percentile bootstrap interval over groups (cluster bootstrap).

    Whole groups are drawn with replacement, as many as there are; each resample's mean is its sum over its size, so
    that groups of unequal size count as in the mean itself.

    What is degenerate is defined:

    - no values: score, low and high are NaN, n is 0;
    - a NaN value: all three are NaN, n is the number of values (nothing is left out silently);
    - one group: the examples themselves are resampled, since one person says nothing about others. The interval
      then speaks about further questions on that person only;
    - every resample has the same mean (all right, all wrong): the bootstrap would claim certainty. Values in [0, 1]
      get a Wilson interval instead. Its number of observations is the number of groups where all values agree (the
      correlation within a group cannot be told from 1, the cautious end) and the number of values where groups
      agree although their values do not. Other values get NaN bounds: their spread is unknown;
    - nearly all right, nearly all wrong: the interval of values in [0, 1] is no surer than if all were (`unseen`).

    Args:
        values: one number per example; shape (n,).
        groups: what each example is about, the same length; an example with None is a group of its own, and None
            for all of them treats examples as independent.
        seed: of the resampling; the same values, groups and seed give the same interval.
        resamples: number of bootstrap resamples.
        level: coverage of the interval, in (0, 1).

    Raises:
        ValueError: lengths differ, or `resamples` or `level` is out of range.
    """
    if groups is not None and len(groups) != len(values):
        raise ValueError(f"{len(values)} values but {len(groups)} groups; each value needs its group")
    if resamples < 1 or not 0 < level < 1:
        raise ValueError(f"resamples must be at least 1 and level between 0 and 1, not {resamples} and {level}")
    data = np.asarray(values, dtype=np.float64)
    n = len(data)
    if n == 0 or np.isnan(data).any():
        return Score(math.nan, math.nan, math.nan, n)
    group_of = _group_numbers(groups, n)
    if group_of.max() == 0:
        group_of = np.arange(n)
    sizes: Floats = np.bincount(group_of).astype(np.float64)
    sums: Floats = np.bincount(group_of, weights=data).astype(np.float64)
    mean = float(data.mean())
    tail = (1 - level) / 2
    low, high = np.quantile(_resampled_means(sums, sizes, seed, resamples), [tail, 1 - tail])
    within = data.min() >= 0 and data.max() <= 1
    if high - low <= 1e-12 * max(1.0, abs(mean)):
        observations = len(sizes) if np.ptp(data) == 0 else n
        low, high = wilson(mean, observations, level) if within else (math.nan, math.nan)
    if within:
        least, most = unseen(len(sizes), level)
        low, high = min(low, least), max(high, most)
    return Score(mean, float(low), float(high), n)


def unseen(groups: int, level: float = 0.95) -> tuple[float, float]:
    """The highest low bound and the lowest high bound that a share can have: Wilson's for n of n and for 0 of n groups.

    So many groups may be otherwise although none of them was met. Without that, one right answer among many wrong ones
    would make a bootstrap surer than none at all.
    """
    return wilson(1.0, groups, level)[0], wilson(0.0, groups, level)[1]


def wilson(share: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a share of n independent observations (Wilson 1927); (NaN, NaN) where n is 0.

    For means of values in [0, 1] that are not all 0 or 1 it is cautious: their variance is at most share(1 - share).
    """
    if n <= 0:
        return math.nan, math.nan
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * share * (1 - share) / n + z2 * z2 / (4 * n * n)) / (1 + z2 / n)
    # At the ends the bound is the share itself; rounding would miss it by an ulp.
    return (0.0 if share <= 0 else centre - half), (1.0 if share >= 1 else centre + half)


def _group_numbers(groups: Sequence[Hashable | None] | None, n: int) -> NDArray[np.int64]:
    """Each example's group as a number from 0, in order of appearance."""
    if groups is None:
        return np.arange(n)
    numbers: dict[Hashable, int] = {}
    keys = ((index,) if group is None else (None, group) for index, group in enumerate(groups))
    return np.fromiter((numbers.setdefault(key, len(numbers)) for key in keys), dtype=np.int64, count=n)


def _resampled_means(sums: Floats, sizes: Floats, seed: int, resamples: int) -> Floats:
    """Mean of each resample of groups; shape (resamples,)."""
    count = len(sums)
    rng = np.random.default_rng(seed)
    rows = max(1, _CELLS // count)
    means = []
    for start in range(0, resamples, rows):
        drawn = rng.integers(0, count, size=(min(rows, resamples - start), count))
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    return np.concatenate(means)
