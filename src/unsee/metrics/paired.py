"""The difference between two models on the same rows, with an interval over people.

What both models were asked is compared row by row, so that how hard a question is plays no part. Several answers about
one person stand or fall together, so the interval is over people, not over answers.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from unsee.metrics.bootstrap import Score

Floats = NDArray[np.float64]


def paired_difference(
    after: Sequence[float],
    before: Sequence[float],
    groups: Sequence[Hashable | None] | None = None,
    level: float = 0.95,
) -> Score:
    """Mean of `after - before` over examples, with a t interval over groups.

    The standard error is that of a ratio of sums over groups (each group's sum of differences over its number of
    examples), with Student's t at one degree of freedom less than there are groups: with four people it is honestly
    wide, where a bootstrap over four people is not.

    Where no group differs from another there is no spread to go by, and no width would claim certainty. There the bound
    is what could have gone unseen: with n groups alike, a share of up to 1 - ((1 - level) / 2) ** (1 / n) of all groups
    may be otherwise (Clopper-Pearson). Away from zero these may lie anywhere, towards it at no difference.

    One group alone says nothing about others: its examples are taken for themselves, and the interval then speaks about
    further questions on that group only.

    Args:
        after: one number in [0, 1] an example; shape (n,).
        before: the same examples by the other model; shape (n,).
        groups: what each example is about; None for an example, or for all, is a group of its own.
        level: coverage of the interval, in (0, 1).

    Returns:
        Difference with bounds in [-1, 1], and n examples; all NaN without examples or where a value is NaN, bounds of
        -1 and 1 for a single example.

    Raises:
        ValueError: lengths differ.
    """
    if len(after) != len(before) or (groups is not None and len(groups) != len(after)):
        raise ValueError("after, before and groups must have one entry for each example")
    difference = np.asarray(after, dtype=np.float64) - np.asarray(before, dtype=np.float64)
    n = len(difference)
    if n == 0 or np.isnan(difference).any():
        return Score(math.nan, math.nan, math.nan, n)
    mean = float(difference.mean())
    group_of = _numbered(groups, n)
    half = _half_width(difference - mean, group_of, level)
    if half is not None:
        return Score(mean, max(-1.0, mean - half), min(1.0, mean + half), n)
    unseen = 1 - ((1 - level) / 2) ** (1 / (int(group_of.max()) + 1)) if n > 1 else 1.0
    reach = {sign: sign if mean * sign >= 0 else 0.0 for sign in (-1.0, 1.0)}
    low, high = (mean + unseen * (reach[sign] - mean) for sign in (-1.0, 1.0))
    return Score(mean, low, high, n)


def _numbered(groups: Sequence[Hashable | None] | None, n: int) -> NDArray[np.int64]:
    """Each example's group as a number from 0; one group alone falls into its examples."""
    keys = [(n, None) if group is None else (0, group) for n, group in enumerate(groups or [None] * n)]
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    return np.array([places[key] for key in keys]) if len(places) > 1 else np.arange(n)


def _half_width(residual: Floats, group_of: NDArray[np.int64], level: float) -> float | None:
    """Half the width of the t interval; None where groups do not differ."""
    from scipy.special import stdtrit  # here, so that `unsee --help` does not wait for scipy

    sums = np.bincount(group_of, weights=residual)
    count = len(sums)
    if count < 2 or float(np.abs(sums).max()) < 1e-9:
        return None
    error = math.sqrt(count / (count - 1) * float((sums**2).sum())) / len(residual)
    return float(stdtrit(count - 1, (1 + level) / 2)) * error
