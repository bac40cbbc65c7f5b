"""Forget quality: can the unlearned model's truth ratios be told from those of a model that never saw the forget set?

TOFU (Maini et al. 2024, arXiv 2401.06121, section 2.2.2) asks by the p-value of a two-sample Kolmogorov-Smirnov test.
The test is exact here and its logarithm never underflows; natural logarithms throughout. The Jensen-Shannon distance
is the alternative of CLEAR (Dontsov et al. 2024, arXiv 2410.18057).

Two cautions. A destroyed model's ratios can lie close to gold's, so forget quality alone ranks nothing: read it
beside model utility. And it speaks about distributions: the order of rows must not matter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_EXACT_PATHS = 4_000_000  # product of the sample sizes up to which paths are counted: a second


@dataclass(frozen=True, slots=True)
class KolmogorovSmirnov:
    """A two-sided two-sample test."""

    statistic: float  # D, the largest distance between the two empirical distribution functions
    p_value: float  # may underflow to 0; log_p_value does not
    log_p_value: float  # natural logarithm
    exact: bool  # counted, not approximated


def ks_two_sample(first: ArrayLike, second: ArrayLike) -> KolmogorovSmirnov:
    """Two-sided two-sample Kolmogorov-Smirnov test.

    The p-value is the share of lattice paths from (0, 0) to (n, m) that reach the observed distance (Hodges 1958),
    counted in whole numbers, so that it and its logarithm are right to rounding. For n * m above 4 million it is
    Kolmogorov's limit. Ties count as one step, which makes the test conservative, as in scipy. The result is the same
    for samples swapped, permuted, or mapped by any strictly monotone function.

    Args:
        first, second: samples of shapes (n,) and (m,). Infinite values are ordinary.

    Returns:
        The test; all NaN if a sample is empty or holds NaN.
    """
    a, b = (np.sort(np.asarray(sample, dtype=np.float64).ravel()) for sample in (first, second))
    n, m = len(a), len(b)
    if n == 0 or m == 0 or np.isnan(a[-1]) or np.isnan(b[-1]):  # NaN sorts last
        return KolmogorovSmirnov(math.nan, math.nan, math.nan, exact=False)
    points = np.concatenate([a, b])
    divisor = math.gcd(n, m)
    below_a = np.searchsorted(a, points, side="right") * (m // divisor)
    below_b = np.searchsorted(b, points, side="right") * (n // divisor)
    distance = int(np.abs(below_a - below_b).max())  # D in units of 1 / lcm(n, m)
    statistic = distance * divisor / (n * m)
    if n * m > _EXACT_PATHS:
        log_p = _log_kolmogorov(statistic * math.sqrt(n * m / (n + m)))
        return KolmogorovSmirnov(statistic, math.exp(log_p), log_p, exact=False)
    p_value, log_p = _exact_p(n, m, distance)
    return KolmogorovSmirnov(statistic, p_value, log_p, exact=True)


def _exact_p(n: int, m: int, distance: int) -> tuple[float, float]:
    """p and log p that two samples without ties are `distance` / lcm(n, m) apart or more."""
    if distance == 0:
        return 1.0, 0.0
    total = math.comb(n + m, n)
    inside = _paths_inside(n, m, distance)
    p_value = (total - inside) / total
    if p_value > 0.5:
        return p_value, math.log1p(-(inside / total)) + 0.0  # no negative zero
    if p_value > 1e-300:
        return p_value, math.log(p_value)
    return p_value, math.log(total - inside) - math.log(total)


def _paths_inside(n: int, m: int, distance: int) -> int:
    """Number of monotone lattice paths from (0, 0) to (n, m) with |i m - j n| / gcd < distance all along."""
    divisor = math.gcd(n, m)
    up, across = m // divisor, n // divisor
    low, high = 0, min(m, (distance - 1) // across)
    counts = [1] * (high - low + 1)  # counts[k]: paths to (i, low + k)
    for i in range(1, n + 1):
        new_low = max(0, (i * up - distance) // across + 1)
        new_high = min(m, (i * up + distance - 1) // across)
        arriving = counts[new_low - low :] + [0] * (new_high - high)
        counts = list(accumulate(arriving))  # from the left neighbour and from below
        if not counts:
            return 0
        low, high = new_low, new_high
    return counts[-1]


def _log_kolmogorov(scaled: float) -> float:
    """log of Kolmogorov's limiting survival function."""
    from scipy.special import kolmogorov  # here, so that `unsee --help` does not wait for scipy

    survival = float(kolmogorov(scaled))
    if survival > 1e-300:
        return min(0.0, math.log(survival))
    return math.log(2) - 2 * scaled * scaled  # the first term of the series; the second is smaller by exp(-6 scaled^2)


def jensen_shannon(p: ArrayLike, q: ArrayLike, base: float = 2.0) -> float:
    """Jensen-Shannon distance (square root of the divergence; Endres and Schindelin 2003) of two distributions.

    Args:
        p, q: non-negative weights over the same outcomes, shape (k,); each is divided by its sum.
        base: of the logarithm; the distance lies in [0, sqrt(log_base 2)], so [0, 1] for base 2.

    Returns:
        The distance; NaN if a weight is NaN or infinite, or if all weights of a distribution are 0.

    Raises:
        ValueError: different lengths or a negative weight.
    """
    first, second = (np.asarray(weights, dtype=np.float64) for weights in (p, q))
    if first.shape != second.shape:
        raise ValueError(f"distributions over {first.size} and {second.size} outcomes cannot be compared")
    if (first < 0).any() or (second < 0).any():
        raise ValueError("a distribution has a negative weight")
    if not (0 < first.sum() < math.inf and 0 < second.sum() < math.inf):
        return math.nan
    first, second = first / first.sum(), second / second.sum()
    middle = (first + second) / 2
    divergence = (_relative_entropy(first, middle) + _relative_entropy(second, middle)) / (2 * math.log(base))
    return math.sqrt(max(0.0, divergence))


def _relative_entropy(p: Floats, q: Floats) -> float:
    held = p > 0
    return float(np.sum(p[held] * np.log(p[held] / q[held])))


def js_forget_quality(log_ratio: ArrayLike, gold_log_ratio: ArrayLike, bins: int = 20) -> float:
    """1 - Jensen-Shannon distance (base 2) between the distributions of truth ratios; 1 where they are alike.

    Each log R becomes R / (1 + R), the share of probability that goes to wrong answers, counted in `bins` equal bins
    of [0, 1]. The bins are fixed, so values of different models are comparable; samples may differ in size; neither
    the order of rows nor taking 1/R for R matters (a value exactly on a border aside). Small samples lie apart by
    chance: two halves of one model's ratios do not reach 1, so quote gold against another gold beside it.

    Args:
        log_ratio, gold_log_ratio: log truth ratios of the unlearned and the gold model, shapes (n,) and (m,).
        bins: number of bins.

    Returns:
        In [0, 1]; NaN if a sample is empty or holds NaN.
    """
    counts = []
    for sample in (log_ratio, gold_log_ratio):
        values = np.asarray(sample, dtype=np.float64)
        if values.size == 0 or np.isnan(values).any():
            return math.nan
        share = 0.5 * (1 + np.tanh(values / 2))  # the logistic function, without overflow
        counts.append(np.histogram(share, bins=bins, range=(0.0, 1.0))[0])
    return 1 - jensen_shannon(counts[0], counts[1])


def js_forget_quality_clear_v4(log_ratio: ArrayLike, gold_log_ratio: ArrayLike) -> float:
    """1 - Jensen-Shannon distance as CLEAR's fourth version computes it; for comparison with its numbers only.

    The two vectors of 1/R themselves, divided by their sums, are taken for distributions *over the row index*, base e.
    It therefore needs the same rows in the same order, does not see a common factor, and cannot fall below
    1 - sqrt(log 2) = 0.167.

    Args:
        log_ratio, gold_log_ratio: log truth ratios of the same rows, shape (n,).

    Raises:
        ValueError: the lengths differ.
    """
    shifted = []
    for sample in (log_ratio, gold_log_ratio):
        values = -np.asarray(sample, dtype=np.float64)
        peak = values.max() if values.size else 0.0
        # Dividing by the sum undoes the shift, which prevents overflow.
        shifted.append(np.exp(values - (peak if np.isfinite(peak) else 0.0)))
    return 1 - jensen_shannon(shifted[0], shifted[1], base=math.e)
