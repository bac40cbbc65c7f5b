"""The three numbers that TOFU and CLEAR give a task (ROUGE, probability, truth ratio), and the mean over them.

TOFU is Maini et al. 2024 (arXiv 2401.06121), CLEAR is Dontsov et al. 2024 (arXiv 2410.18057).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TaskLog:
    """What was measured on one task, row by row."""

    rouge_l_recall: Floats  # (n,)
    answer: Floats  # (n,) mean log-probability per token of the expected answer
    paraphrase: Floats  # (n,) the same of its paraphrase
    perturbed: list[Floats]  # n vectors: the same of the wrong answers of each row


@dataclass(frozen=True, slots=True)
class TaskScores:
    """The three numbers of a task, each in [0, 1]."""

    rouge: float  # mean ROUGE-L recall
    probability: float
    truth_ratio: float  # forget: mean min(R, 1/R); elsewhere mean max(0, 1 - R)
    n: int

    def to_dict(self) -> dict[str, float | int]:
        """The numbers under their names."""
        return {"rouge": self.rouge, "probability": self.probability, "truth_ratio": self.truth_ratio, "n": self.n}


def harmonic_mean(numbers: Iterable[float]) -> float:
    """Harmonic mean of non-negative numbers: 0 as soon as one is 0; NaN for no numbers, a NaN or a negative one."""
    values = list(numbers)
    if not values or any(math.isnan(value) or value < 0 for value in values):
        return math.nan
    if any(value == 0 for value in values):
        return 0.0
    return len(values) / math.fsum(1 / value for value in values)
