"""How much of a text the model holds, and whether one could tell that it was trained on it.

Exact memorisation and extraction strength count teacher-forced tokens; the membership scores turn per-token
log-probabilities into one number. **Every membership score here is higher for a text that looks more like training
data**, so that `membership_auc` above 0.5 means that it is recognised and 0.5 that it is not.

A text without scored tokens has no score: NaN.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]


def exact_memorisation(correct: Sequence[bool]) -> float:
    """Share of target tokens whose arg-max prediction is right, given all right tokens before (Tirumala et al. 2022).

    Args:
        correct: one entry per target token. Every target counts, a single one and the last one too.

    Returns:
        In [0, 1]; NaN without tokens.
    """
    return sum(map(bool, correct)) / len(correct) if len(correct) else math.nan


def extraction_strength(correct: Sequence[bool]) -> float:
    """1 - k / L, where k is the shortest prefix after which all L - k remaining predictions are right.

    (Carlini et al. 2021, as used by Wang et al. 2025, arXiv 2411.05034.) All right is 1, a wrong last token is 0.

    Args:
        correct: whether the arg-max prediction of each target token is right, given the right tokens before; (L,).

    Returns:
        In [0, 1]; NaN without tokens.
    """
    if len(correct) == 0:
        return math.nan
    suffix = 0
    while suffix < len(correct) and correct[-1 - suffix]:
        suffix += 1
    return suffix / len(correct)


def loss_score(log_probs: ArrayLike) -> float:
    """Mean log-probability per token, the negative loss (Yeom et al. 2018)."""
    values = _tokens(log_probs)
    return float(values.mean()) if values.size else math.nan


def zlib_score(log_probs: ArrayLike, text: str, numerator: Literal["mean", "sum"] = "mean") -> float:
    """Log-probability over the size of the zlib-compressed text in bytes (Carlini et al. 2021, arXiv 2012.07805).

    Args:
        log_probs: of the tokens of `text`, shape (tokens,).
        text: what the tokens say.
        numerator: "mean" per token, as published, shrinks with the length of the text; "sum" is free of its length.
    """
    values = _tokens(log_probs)
    if not values.size:
        return math.nan
    total = float(values.mean() if numerator == "mean" else values.sum())
    return total / len(zlib.compress(text.encode("utf-8")))


def reference_score(log_probs: ArrayLike, reference_log_probs: ArrayLike) -> float:
    """Mean log-probability per token above that of a reference model (Carlini et al. 2022, arXiv 2112.03570).

    Raises:
        ValueError: the two differ in their number of tokens; means over different tokens cannot be compared.
    """
    values, reference = _tokens(log_probs), _tokens(reference_log_probs)
    if len(values) != len(reference):
        raise ValueError(f"{len(values)} tokens but {len(reference)} reference tokens; score the same tokens with both")
    return float((values - reference).mean()) if values.size else math.nan


def min_k_score(log_probs: ArrayLike, k: float = 0.2) -> float:
    """Min-K%: mean of the least likely share k of tokens, at least one of them (Shi et al. 2023, arXiv 2310.16789).

    Raises:
        ValueError: k outside (0, 1].
    """
    if not 0 < k <= 1:
        raise ValueError(f"k is a share of tokens in (0, 1], not {k}")
    values = np.sort(_tokens(log_probs))  # NaN sorts last: looked for below, so that it cannot hide there
    if not values.size or np.isnan(values[-1]):
        return math.nan
    return float(values[: max(1, int(k * len(values) + 1e-9))].mean())


def min_k_plus_plus_score(log_probs: ArrayLike, mean: ArrayLike, std: ArrayLike, k: float = 0.2) -> float:
    """Min-K%++: Min-K% of (log p - mean) / std (Zhang et al. 2024, arXiv 2404.02936).

    Args:
        log_probs: of the tokens, shape (tokens,).
        mean: at each position the expectation, under the model, of the log-probability over the vocabulary.
        std: its standard deviation; taken as at least 1e-3, for a model that is certain has none.
        k: share of tokens.

    Raises:
        ValueError: lengths differ, or k outside (0, 1].
    """
    values, centre, spread = _tokens(log_probs), _tokens(mean), _tokens(std)
    if not len(values) == len(centre) == len(spread):
        raise ValueError(f"{len(values)} tokens, {len(centre)} means and {len(spread)} deviations; give one of each")
    return min_k_score((values - centre) / np.maximum(spread, 1e-3), k)


def membership_auc(members: ArrayLike, non_members: ArrayLike) -> float:
    """Probability that a member scores above a non-member, ties counted half (area under the ROC curve).

    Returns:
        In [0, 1]; NaN if either side is empty or holds NaN.
    """
    inside, outside = _tokens(members), _tokens(non_members)
    both = np.concatenate([inside, outside])
    if not inside.size or not outside.size or np.isnan(both).any():
        return math.nan
    ranks = rankdata(both)[: len(inside)]  # ties share their mean rank
    return float((ranks.sum() / len(inside) - (len(inside) + 1) / 2) / len(outside))


def _tokens(values: ArrayLike) -> Floats:
    """A vector in double precision: means of half-precision values are not taken in half precision."""
    return np.asarray(values, dtype=np.float64).ravel()
