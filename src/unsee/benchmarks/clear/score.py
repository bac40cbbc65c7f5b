"""CLEAR's Real, Retain and Forget (Dontsov et al. 2024, arXiv 2410.18057), with both modalities side by side.

Input are the rows of records that `unsee unlearn` and `unsee evaluate` write, by probe, as `unsee.benchmarks`
names them. Real is made of real faces and real world, Retain and Forget of captions and of recognising names; the
paper defines each as the harmonic mean of ROUGE, probability and truth ratio, its repository and most of its tables
leave ROUGE out. Questions in words, which the published evaluation never asks, are reported beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from unsee.benchmarks.logs import Rows, check_same, task_log, task_scores
from unsee.benchmarks.spec import Records, Scores
from unsee.metrics.forget_quality import (
    KolmogorovSmirnov,
    js_forget_quality,
    js_forget_quality_clear_v4,
    ks_two_sample,
)
from unsee.metrics.task_scores import TaskLog, TaskScores, harmonic_mean
from unsee.metrics.truth_ratio import TruthRatio, log_truth_ratio

SPLITS = {
    "real": ("real_faces", "real_world"),
    "retain": ("retain_caption_vqa", "retain_name_vqa"),
    "forget": ("forget_caption_vqa", "forget_name_vqa"),
}
TEXTUAL = ("retain_qa", "forget_qa")
AMONG_OPTIONS = (
    "real_faces",
    "real_world",
    "retain_name_vqa",
    "forget_name_vqa",
)  # probability is normalised over them
FORGET_QUALITY = "forget_caption_vqa"  # the probe whose truth ratios are compared with gold's


@dataclass(frozen=True, slots=True)
class ForgetQuality:
    """How far the truth ratios of the forget captions are from those of gold."""

    kolmogorov_smirnov: KolmogorovSmirnov
    js: float  # 1 - Jensen-Shannon distance of the two distributions
    js_clear_v4: float | None  # as printed in version 4, on vectors aligned by row; None if gold was asked other rows


@dataclass(frozen=True, slots=True)
class ClearScores:
    """What CLEAR reports for one model; a split some probe of which is missing is NaN."""

    splits: dict[str, float]  # real, retain, forget: with ROUGE, as the paper defines them
    splits_without_rouge: dict[str, float]  # as its repository and most of its tables have them
    per_task: dict[str, TaskScores]
    forget_quality: ForgetQuality | None


def published_scores(records: Records, gold: Records | None, variant: TruthRatio) -> Scores:
    """CLEAR's numbers as `unsee benchmark score` prints them; forget quality needs the records of gold.

    Raises:
        InputError: gold was not asked the same rows of the probe that forget quality compares.
    """
    scores = score_clear(records, gold, variant)
    quality = scores.forget_quality
    return Scores(
        tasks={probe: numbers.to_dict() for probe, numbers in scores.per_task.items()},
        numbers={
            "forget_quality": quality.kolmogorov_smirnov.p_value if quality else None,
            "log_forget_quality": quality.kolmogorov_smirnov.log_p_value if quality else None,
            "js_forget_quality": quality.js if quality else None,
            "js_forget_quality_clear_v4": quality.js_clear_v4 if quality else None,
        },
        splits={"with ROUGE": scores.splits, "without ROUGE": scores.splits_without_rouge},
    )


def score_clear(records: Records, gold: Records | None = None, variant: TruthRatio = "geometric") -> ClearScores:
    """CLEAR's numbers from the records of one model.

    Args:
        records: rows by probe; probes that are not CLEAR's are passed over.
        gold: the same of a model trained without the forget set, for forget quality.
        variant: of the truth ratio, see `unsee.metrics.truth_ratio`.

    Raises:
        InputError: gold was not asked the same rows of the probe that forget quality compares.
    """
    probes = [probe for split in SPLITS.values() for probe in split] + list(TEXTUAL)
    logs = {probe: task_log(records[probe]) for probe in probes if probe in records}
    per_task = {probe: score_probe(log, probe, variant) for probe, log in logs.items()}
    splits = {
        with_rouge: {name: _of_split(per_task, tasks, with_rouge) for name, tasks in SPLITS.items()}
        for with_rouge in (True, False)
    }
    quality = None
    if gold is not None and FORGET_QUALITY in gold and FORGET_QUALITY in records:
        check_same(FORGET_QUALITY, records[FORGET_QUALITY], gold[FORGET_QUALITY])
        quality = _forget_quality(records[FORGET_QUALITY], gold[FORGET_QUALITY], variant)
    return ClearScores(splits[True], splits[False], per_task, quality)


def score_probe(log: TaskLog, probe: str, variant: TruthRatio = "geometric") -> TaskScores:
    """ROUGE, probability and truth ratio of one probe; names and real sets have their probability among options."""
    among_options = probe in AMONG_OPTIONS
    return task_scores(log, forget=probe.startswith("forget"), among_options=among_options, variant=variant)


def aggregate(tasks: Iterable[TaskScores], with_rouge: bool = True) -> float:
    """One of CLEAR's three numbers: the harmonic mean over the tasks of a split.

    Real takes real faces and real world, Retain the retain set and recognising its faces, Forget the forget set and
    recognising its faces.

    Args:
        tasks: scores of the split's tasks.
        with_rouge: as the paper defines it. Its repository, and most of the printed tables, leave ROUGE out.
    """
    numbers = []
    for task in tasks:
        numbers += [task.rouge] * with_rouge + [task.probability, task.truth_ratio]
    return harmonic_mean(numbers)


def _of_split(per_task: Mapping[str, TaskScores], tasks: Sequence[str], with_rouge: bool) -> float:
    if not all(task in per_task for task in tasks):
        return float("nan")
    return aggregate([per_task[task] for task in tasks], with_rouge)


def _forget_quality(rows: Rows, gold: Rows, variant: TruthRatio) -> ForgetQuality:
    ours, theirs = (log_truth_ratio(log.paraphrase, log.perturbed, variant) for log in (task_log(rows), task_log(gold)))
    aligned = [row["expected"] for row in rows] == [row["expected"] for row in gold]
    return ForgetQuality(
        ks_two_sample(ours, theirs),
        js_forget_quality(ours, theirs),
        js_forget_quality_clear_v4(ours, theirs) if aligned else None,
    )
