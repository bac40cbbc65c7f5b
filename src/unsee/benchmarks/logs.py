"""Records of a probe as TOFU's formulas take them, for the benchmarks that score by these (arXiv 2401.06121)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from unsee.errors import InputError
from unsee.metrics.answers import rouge
from unsee.metrics.forget_quality import KolmogorovSmirnov, ks_two_sample
from unsee.metrics.task_scores import Floats, TaskLog, TaskScores
from unsee.metrics.truth_ratio import (
    TruthRatio,
    indistinguishability,
    log_truth_ratio,
    probability_among_options,
    truthfulness,
)

Rows = Sequence[Mapping[str, Any]]


def task_log(rows: Rows) -> TaskLog:
    """Records of one probe: means per token, and the answer for a missing paraphrase."""
    answers = [_mean(row["log_prob"], row["tokens"]) for row in rows]
    paraphrases = [
        _means(row, "paraphrased")[0] if row.get("paraphrased_log_probs") else answer
        for row, answer in zip(rows, answers, strict=True)
    ]
    return TaskLog(
        rouge_l_recall=_floats([rouge(row["said"], row["expected"]).rouge_l_recall for row in rows]),
        answer=_floats(answers),
        paraphrase=_floats(paraphrases),
        perturbed=[_means(row, "perturbed") for row in rows],
    )


def task_scores(log: TaskLog, *, forget: bool, among_options: bool, variant: TruthRatio = "geometric") -> TaskScores:
    """ROUGE, probability and truth ratio of one probe; NaN without rows, and where a row lacks what a number needs.

    Args:
        log: of the probe.
        forget: whether its answers are to go: the mean of min(R, 1/R) then, and else of max(0, 1 - R).
        among_options: whether an answer's probability is a share of those of it and the wrong ones.
        variant: of the truth ratio, see `unsee.metrics.truth_ratio`.
    """
    ratio = log_truth_ratio(log.paraphrase, log.perturbed, variant)
    probability = probability_among_options(log.answer, log.perturbed) if among_options else np.exp(log.answer)
    per_row = indistinguishability(ratio) if forget else truthfulness(ratio)
    return TaskScores(_average(log.rouge_l_recall), _average(probability), _average(per_row), len(log.answer))


def forget_quality(probe: str, rows: Rows, gold: Rows, variant: TruthRatio = "geometric") -> KolmogorovSmirnov:
    """TOFU's forget quality: whether the truth ratios of a probe can be told from gold's.

    Raises:
        InputError: gold was not asked the same rows.
    """
    check_same(probe, rows, gold)
    ours, theirs = (log_truth_ratio(log.paraphrase, log.perturbed, variant) for log in (task_log(rows), task_log(gold)))
    return ks_two_sample(ours, theirs)


def check_same(probe: str, rows: Rows, gold: Rows) -> None:
    """InputError unless both models were asked the same; the order does not matter."""
    ours, theirs = (Counter(map(_identity, side)) for side in (rows, gold))
    for whose, other, more in (("gold has", "the model", theirs - ours), ("the model has", "gold", ours - theirs)):
        for (name, question, expected), _ in more.items():
            raise InputError(
                f"{probe}: {whose} a row that {other} was not asked ({name or question[:60]!r}, "
                f"{expected[:60]!r}); measure both on the same rows"
            )


def _identity(row: Mapping[str, Any]) -> tuple[str | None, str, str]:
    return row.get("id"), row.get("question", ""), row["expected"]


def _average(values: Floats) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _means(row: Mapping[str, Any], kind: str) -> Floats:
    log_probs, tokens = row.get(f"{kind}_log_probs") or (), row.get(f"{kind}_tokens") or ()
    return _floats([_mean(*pair) for pair in zip(log_probs, tokens, strict=True)])


def _mean(log_prob: float | None, tokens: int) -> float:
    return float("nan") if log_prob is None or not tokens else log_prob / tokens


def _floats(values: Sequence[float]) -> Floats:
    return np.asarray(values, dtype=np.float64)
