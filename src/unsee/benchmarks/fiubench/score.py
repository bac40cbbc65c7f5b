"""FIUBench's numbers from records (Ma et al. 2024, arXiv 2411.03554), by the formulas of its aggregation code.

Per set, ROUGE-L recall, probability and truth ratio; model utility, the harmonic mean of those of the retain set, and
forget quality, the Kolmogorov-Smirnov p-value of the truth ratios of the forget set against those of gold. As there,
the probability of retained answers is among the wrong ones, and the truth ratio has the answer in other words on top.

Model utility goes without the judgement of GPT that the published one has as a further number where somebody asks for
it, as well as without the accuracy on MME and POPE that the paper has beside it. The evaluation code scores what was
said up to its first full stop, and nothing at all where there is none; here all of it is scored.
"""

from __future__ import annotations

from unsee.benchmarks.logs import forget_quality, task_log, task_scores
from unsee.benchmarks.spec import Records, Scores
from unsee.metrics.task_scores import TaskScores, harmonic_mean
from unsee.metrics.truth_ratio import TruthRatio

PROBES = ("forget_vqa", "forget_otherwise_vqa", "retain_vqa", "retain_otherwise_vqa")
UTILITY, FORGET_QUALITY = "retain_vqa", "forget_vqa"  # the probes that the two numbers of the whole are about


def published_scores(records: Records, gold: Records | None, variant: TruthRatio) -> Scores:
    """FIUBench's numbers as `unsee benchmark score` prints them; forget quality needs the records of gold.

    Raises:
        InputError: gold was not asked the same rows of the forget set.
    """
    tasks = {probe: score_probe(records, probe, variant) for probe in PROBES if probe in records}
    quality = None
    if gold is not None and FORGET_QUALITY in gold and FORGET_QUALITY in records:
        quality = forget_quality(FORGET_QUALITY, records[FORGET_QUALITY], gold[FORGET_QUALITY], variant)
    return Scores(
        tasks={probe: scores.to_dict() for probe, scores in tasks.items()},
        numbers={
            "model_utility": model_utility(tasks[UTILITY]) if UTILITY in tasks else None,
            "forget_quality": quality.p_value if quality else None,
            "log_forget_quality": quality.log_p_value if quality else None,
        },
    )


def score_probe(records: Records, probe: str, variant: TruthRatio = "geometric") -> TaskScores:
    """ROUGE, probability and truth ratio of one probe."""
    forget = probe.startswith("forget")
    return task_scores(task_log(records[probe]), forget=forget, among_options=not forget, variant=variant)


def model_utility(retain: TaskScores) -> float:
    """The harmonic mean of the three numbers of the retain set."""
    return harmonic_mean((retain.rouge, retain.probability, retain.truth_ratio))
