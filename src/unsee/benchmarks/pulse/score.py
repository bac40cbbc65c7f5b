"""What PULSE reports after each request: what is forgotten, and what is kept (arXiv 2507.01271).

Accuracies over multiple choices, with a picture (`vqa`) and by name (`qa`), of four groups of people: those of the
`request` itself, those of `earlier` ones, those who are `waiting` for theirs, and those who are `retained`. An option
counts as chosen where the letter, or its text, was said; the most likely one is reported beside it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from unsee.benchmarks.spec import Records, Scores
from unsee.benchmarks.tasks import likely_choice, right_choice, score_tasks
from unsee.metrics.truth_ratio import TruthRatio

GROUPS = ("request", "earlier", "waiting", "retained")
_PROBE = re.compile(
    r"(?:(?P<request>forget)|(?P<earlier>(?:after_)+forget|earlier_forget)|(?P<waiting>waiting_forget)|(?P<retained>retain))"
    r"_classification_(?P<kind>vqa|qa)"
)


def published_scores(records: Records, _gold: Records | None, _variant: TruthRatio) -> Scores:
    """PULSE's accuracies as `unsee benchmark score` prints them; None for a group that was not asked."""
    rows: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for probe, asked in records.items():
        if match := _PROBE.fullmatch(probe):
            rows[f"{next(group for group in GROUPS if match[group])}_{match['kind']}"] += asked
    names = [f"{group}_{kind}" for group in GROUPS for kind in ("vqa", "qa")]
    likely = {name: share for name in names if (share := _share(rows[name], likely_choice)) is not None}
    return Scores(
        score_tasks(records), {name: _share(rows[name], right_choice) for name in names}, {"most likely": likely}
    )


def _share(rows: Sequence[Mapping[str, Any]], right: Any) -> float | None:
    """The share of rows that are right; None without rows, or where one does not say."""
    answers = [right(row) for row in rows]
    return fmean(answers) if answers and None not in answers else None
