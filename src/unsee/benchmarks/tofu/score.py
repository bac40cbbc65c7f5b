"""What TOFU reports (Maini et al. 2024, arXiv 2401.06121): model utility and forget quality.

Input are evaluation logs in TOFU's JSON layout, `{file: {metric: {row: value}}}`, in which losses are mean negative
log-likelihoods per token (nats).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from unsee.errors import InputError, quoted
from unsee.metrics.answers import ROUNDING, rouge
from unsee.metrics.forget_quality import KolmogorovSmirnov, ks_two_sample
from unsee.metrics.task_scores import Floats, TaskLog, TaskScores, harmonic_mean
from unsee.metrics.truth_ratio import (
    TruthRatio,
    indistinguishability,
    log_truth_ratio,
    probability_among_options,
    truthfulness,
)

# The parts of TOFU's aggregated logs by what they measure.
LOG_OF_TASK = {
    "retain": "eval_log.json",
    "real_authors": "eval_real_author_wo_options.json",
    "real_world": "eval_real_world_wo_options.json",
    "forget": "eval_log_forget.json",
}
UTILITY_TASKS = ("real_authors", "real_world", "retain")
OPTION_TASKS = ("real_authors", "real_world")  # their probability is normalised over the options


@dataclass(frozen=True, slots=True)
class TofuScores:
    """All that TOFU reports for one model; `forget_quality` is None without a retain model to compare with."""

    model_utility: float
    per_task: dict[str, TaskScores]
    forget_quality: KolmogorovSmirnov | None


def score_tofu(
    logs: Mapping[str, TaskLog],
    retain_logs: Mapping[str, TaskLog] | None = None,
    variant: TruthRatio = "geometric",
) -> TofuScores:
    """Model utility and, against a model trained without the forget set, forget quality.

    Args:
        logs: the four tasks of `LOG_OF_TASK` for the model in question.
        retain_logs: the same for the retain model; only its forget task is used, which may have other rows.
        variant: of the truth ratio, see `unsee.metrics.truth_ratio`.
    """
    per_task = {task: score_task(log, task, variant) for task, log in logs.items()}
    numbers = [
        number
        for task in UTILITY_TASKS
        for number in (per_task[task].rouge, per_task[task].probability, per_task[task].truth_ratio)
    ]
    quality = None
    if retain_logs is not None:
        ratios = [
            log_truth_ratio(side["forget"].paraphrase, side["forget"].perturbed, variant)
            for side in (logs, retain_logs)
        ]
        quality = ks_two_sample(ratios[0], ratios[1])
    return TofuScores(harmonic_mean(numbers), per_task, quality)


def score_task(log: TaskLog, task: str, variant: TruthRatio = "geometric") -> TaskScores:
    """ROUGE, probability and truth ratio of one task, with the recipe that TOFU has for a task of that name."""
    ratio = log_truth_ratio(log.paraphrase, log.perturbed, variant)
    probability = probability_among_options(log.answer, log.perturbed) if task in OPTION_TASKS else np.exp(log.answer)
    per_row = indistinguishability(ratio) if task == "forget" else truthfulness(ratio)
    return TaskScores(_mean(log.rouge_l_recall), _mean(probability), _mean(per_row), len(log.answer))


def parse_tofu_logs(logs: object, where: str) -> dict[str, TaskLog]:
    """The tasks of one aggregated TOFU log.

    Args:
        logs: what its JSON holds.
        where: the file's name, for messages.

    Raises:
        InputError: a task, a metric or a row is missing or is not a number, a loss is below 0, a ROUGE outside [0, 1].
    """
    if not isinstance(logs, Mapping):
        raise InputError(f"{where}: holds no JSON object; a TOFU log is {{file: {{metric: {{row: value}}}}}}")
    missing = [name for name in LOG_OF_TASK.values() if not isinstance(logs.get(name), Mapping)]
    if missing:
        raise InputError(
            f"{where}: has no {missing[0]!r}; an aggregated TOFU log (eval_log_aggregated.json) holds "
            f"{', '.join(LOG_OF_TASK.values())}"
        )
    return {task: _parse_task(logs[name], f"{where}: {name}") for task, name in LOG_OF_TASK.items()}


def _parse_task(task: Mapping[str, Any], where: str) -> TaskLog:
    answers = _column(task, "avg_gt_loss", where)
    rows = sorted(answers, key=lambda row: (len(row), row))  # "2" before "10"
    if not rows:
        raise InputError(f"{where}: avg_gt_loss has no rows; there is nothing to score")
    return TaskLog(
        rouge_l_recall=_rouge_l_recall(task, rows, where),
        answer=_log_probs(answers, rows, f"{where}: avg_gt_loss"),
        paraphrase=_log_probs(_column(task, "avg_paraphrased_loss", where), rows, f"{where}: avg_paraphrased_loss"),
        perturbed=_perturbed(_column(task, "average_perturb_loss", where), rows, f"{where}: average_perturb_loss"),
    )


def _column(task: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    column = task.get(name)
    if not isinstance(column, Mapping):
        raise InputError(f"{where}: has no {name!r}; it must map each row to its value")
    return column


def _log_probs(losses: Mapping[str, Any], rows: list[str], where: str) -> Floats:
    """The negative of losses, which are 0 or more up to rounding."""
    return -_numbers(losses, rows, where, (-ROUNDING, sys.float_info.max), "a loss of 0 or more")


def _numbers(column: Mapping[str, Any], rows: list[str], where: str, within: tuple[float, float], what: str) -> Floats:
    values = np.array([_number(column, row, where) for row in rows], dtype=np.float64)
    for row, value in zip(rows, values, strict=True):
        if value < within[0] or value > within[1]:  # NaN stays, and reaches whatever is made of it
            raise InputError(f"{where}: row {row!r} is {value:g}, not {what}")
    return values


def _number(column: Mapping[str, Any], row: str, where: str) -> float:
    value = column.get(row)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise InputError(f"{where}: row {row!r} is {quoted(value)}, not a number")
    return float(value)


def _perturbed(column: Mapping[str, Any], rows: list[str], where: str) -> list[Floats]:
    perturbed = []
    for row in rows:
        losses = column.get(row)
        if not isinstance(losses, list) or not losses:
            raise InputError(f"{where}: row {row!r} is {quoted(losses)}, not a list of losses of wrong answers")
        indexed = {str(index): loss for index, loss in enumerate(losses)}
        perturbed.append(_log_probs(indexed, list(indexed), f"{where}: row {row!r}"))
    return perturbed


def _rouge_l_recall(task: Mapping[str, Any], rows: list[str], where: str) -> Floats:
    """The stored recalls, or, where a log was written without them, those of its stored generations."""
    if task.get("rougeL_recall"):
        column = _column(task, "rougeL_recall", where)
        return _numbers(column, rows, f"{where}: rougeL_recall", (0.0, 1.0), "a share between 0 and 1")
    texts = _column(task, "generated_text", where)
    recalls = []
    for row in rows:
        match texts.get(row):
            case [_, str(said), str(expected)]:
                recalls.append(rouge(said, expected).rouge_l_recall)
            case other:
                raise InputError(
                    f"{where}: generated_text: row {row!r} is {quoted(other)}, not [prompt, said, expected]"
                )
    return np.array(recalls, dtype=np.float64)


def _mean(values: Floats) -> float:
    return fmean(values.tolist()) if len(values) else math.nan
