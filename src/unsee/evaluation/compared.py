"""Everything that records say about models which were asked the same: scores, checks, and how far to trust them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from unsee.data.example import Benchmark
from unsee.data.overlap import picture_overlap
from unsee.evaluation.after import Earlier, came_back
from unsee.evaluation.condition import condition
from unsee.evaluation.hallucination import check_hallucination
from unsee.evaluation.judged import check_judged
from unsee.evaluation.records import Record
from unsee.evaluation.run_scores import Compared
from unsee.evaluation.scores import score

BASE = "base"
COMPARED = ("models", "hallucination", "judged", "roles", "pictures", "condition")  # what `compared` looks at


def compared(
    benchmark: Benchmark,
    records: Mapping[str, Mapping[str, Sequence[Record]]],
    moved: Mapping[str, Mapping[str, Any] | None],
    seed: int = 0,
    lexicon: Sequence[str] | None = None,
    earlier: Earlier | None = None,
) -> Compared:
    """What `scores.json` and `summary.json` hold of several models.

    Args:
        benchmark: what was trained on and asked.
        records: by model and probe; "base" is the model before.
        moved: how far the weights of a model went in training, as `unsee.vlm.change.Start.moved` has it; None or no
            entry where that is not known.
        seed: of the bootstraps.
        lexicon: word lists, for the check of captions.
        earlier: what an earlier request removed, whose probes are among those of the benchmark.
    """
    base, training = records[BASE], (benchmark.forget, benchmark.retain)
    again = {model: came_back(earlier, asked) for model, asked in records.items() if earlier and model != BASE}
    known_by = earlier.base if earlier else {}
    roles = {probe.name: probe.role for probe in benchmark.probes}
    conditions = {
        model: condition(asked, base, roles, moved.get(model)) for model, asked in records.items() if model != BASE
    }
    return Compared(
        models={
            model: {
                probe: score(rows, base[probe], seed, known_by.get(probe)).result() for probe, rows in asked.items()
            }
            for model, asked in records.items()
        },
        hallucination=check_hallucination(records, BASE, lexicon),
        judged=check_judged(benchmark.probes, records, BASE),
        roles=roles,
        pictures={probe.name: asdict(picture_overlap(probe.examples, training)) for probe in benchmark.probes},
        condition=conditions,
        after=again,
    )
