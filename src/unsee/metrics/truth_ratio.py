"""Truth ratio and probability among options: does the model still prefer the true answer to wrong ones?

All functions take mean log-probabilities per answer token (nats), one `right` per row and any number of `wrong` per
row. The truth ratio R is that of TOFU (Maini et al. 2024, arXiv 2401.06121, eq. 1), wrong over right: below 1 where
the truth is preferred. TOFU's aggregation script holds its reciprocal, which changes none of the results here.

Everything is computed on log R, so that no ratio overflows. A row without wrong answers or with a NaN has the ratio
NaN, and a mean over it is NaN: rows are never dropped behind the reader's back, and results stay aligned with rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
TruthRatio = Literal["geometric", "arithmetic", "clear_repo"]


def log_truth_ratio(right: ArrayLike, wrong: Sequence[ArrayLike], variant: TruthRatio = "geometric") -> Floats:
    """log R of each row.

    Args:
        right: mean log-probability per token of the right answer (TOFU: its paraphrase); shape (n,).
        wrong: the same for the wrong (perturbed) answers of each row; n sequences, which may differ in length.
        variant: how the wrong answers of a row are averaged:
            "geometric", as TOFU aggregates: mean of their log-probabilities;
            "arithmetic", as TOFU's paper prints it: log of the mean of their probabilities;
            "clear_repo", what CLEAR's repository computes: one mean of log-probabilities over all rows, so that a
            row is no longer compared with its own wrong answers. For comparison with its numbers only.

    Returns:
        log R, shape (n,).

    Raises:
        ValueError: `right` and `wrong` differ in length, or the variant is unknown.
    """
    if variant not in get_args(TruthRatio):
        raise ValueError(f"unknown truth ratio {variant!r}; known are {', '.join(get_args(TruthRatio))}")
    truth, options = _paired(right, wrong)
    with np.errstate(invalid="ignore"):  # both impossible: -inf - -inf is NaN, as it should be
        if variant == "clear_repo":
            pooled = np.concatenate(options) if options else np.empty(0)
            return (pooled.mean() if pooled.size else np.nan) - truth
        average = np.mean if variant == "geometric" else _log_mean_exp
        means = [average(row) if row.size else np.nan for row in options]
        return np.asarray(means, dtype=np.float64) - truth


def indistinguishability(log_ratio: ArrayLike) -> Floats:
    """min(R, 1/R) of each row, what TOFU averages on the forget set: 1 where truth and lies are equally likely.

    It rises when forgetting succeeds: higher is better for a forget set.
    """
    return np.exp(-np.abs(np.asarray(log_ratio, dtype=np.float64)))


def truthfulness(log_ratio: ArrayLike) -> Floats:
    """max(0, 1 - R) of each row, what TOFU averages on sets to be kept: 1 where only the truth is likely."""
    with np.errstate(over="ignore"):  # R may overflow to infinity, where the result is 0
        return np.maximum(0.0, -np.expm1(np.asarray(log_ratio, dtype=np.float64)))


def probability_among_options(right: ArrayLike, wrong: Sequence[ArrayLike]) -> Floats:
    """p / (p + sum of the wrong p_j) of each row, with length-normalised probabilities (TOFU, section 2.2.1).

    Args and errors as in `log_truth_ratio`. A row without wrong answers gets 1; one whose answers are all impossible
    gets NaN.

    Returns:
        Shape (n,), in [0, 1].
    """
    truth, options = _paired(right, wrong)
    shares = [_share(value, row) for value, row in zip(truth, options, strict=True)]
    return np.asarray(shares, dtype=np.float64)


def _paired(right: ArrayLike, wrong: Sequence[ArrayLike]) -> tuple[Floats, list[Floats]]:
    truth = np.asarray(right, dtype=np.float64)
    options = [np.asarray(row, dtype=np.float64) for row in wrong]
    if len(truth) != len(options):
        raise ValueError(f"{len(truth)} right answers but wrong answers for {len(options)} rows; give one list per row")
    return truth, options


def _share(right: float, wrong: Floats) -> float:
    values = np.append(wrong, right)
    highest = values.max()
    if not np.isfinite(highest):  # NaN somewhere, or nothing is possible
        return float("nan")
    return float(np.exp(right - highest) / np.exp(values - highest).sum())


def _log_mean_exp(values: Floats) -> float:
    highest = values.max()
    if not np.isfinite(highest):
        return float(highest)
    return float(highest + np.log(np.exp(values - highest).mean()))
