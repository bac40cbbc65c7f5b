"""From the scores of windows to the score of a phrase."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Scores = np.ndarray[Any, np.dtype[np.float64]]


def highest(scores: Scores, patches: int) -> Scores:
    """The best window: S(o) = max over windows w of S(o, w) (Xing et al. 2024, arXiv 2402.09801, eq. 1).

    Args:
        scores: shape (rows, columns, phrases).
        patches: on each side of a window; does not matter here.

    Returns:
        One score a phrase; shape (phrases,).
    """
    return np.asarray(scores.max(axis=(0, 1)))


def patch_top4(scores: Scores, patches: int) -> Scores:
    """What the code released with the paper computes: the mean of the four best patches.

    A patch scores the mean of the windows that cover it, so a single good window counts for little in the middle of a
    picture, where sixteen windows cover a patch, and for much in a corner.

    Args:
        scores: shape (rows, columns, phrases).
        patches: on each side of a window.

    Returns:
        One score a phrase; shape (phrases,). The mean of all patches where there are fewer than four.
    """
    rows, columns, phrases = scores.shape
    sums = np.zeros((rows + patches - 1, columns + patches - 1, phrases))
    covering = np.zeros((*sums.shape[:2], 1))
    for down in range(patches):
        for right in range(patches):
            sums[down : down + rows, right : right + columns] += scores
            covering[down : down + rows, right : right + columns] += 1
    by_patch = np.sort((sums / covering).reshape(-1, phrases), axis=0)
    return np.asarray(by_patch[-4:].mean(axis=0))


AGGREGATORS: dict[str, Callable[[Scores, int], Scores]] = {"max": highest, "patch_top4": patch_top4}
