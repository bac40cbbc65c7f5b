"""MLLMU-Bench's numbers (Liu et al. 2024, arXiv 2410.22108): those of its three tasks, by probe."""

from __future__ import annotations

from unsee.benchmarks.spec import Records, Scores
from unsee.benchmarks.tasks import score_tasks
from unsee.metrics.truth_ratio import TruthRatio


def published_scores(records: Records, _gold: Records | None, _variant: TruthRatio) -> Scores:
    """MLLMU-Bench's numbers as `unsee benchmark score` prints them; it has no gold model and no truth ratio."""
    return Scores(score_tasks(records))
