"""The last stage of a run: what its records and its training say, as `scores.json` holds it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from unsee.evaluation.compared import BASE, compared
from unsee.evaluation.fitness import fitness
from unsee.evaluation.run_scores import VERSION, Facts, RunScores, values_of
from unsee.runs.advice import advise
from unsee.runs.base_once import taken_over
from unsee.runs.check import Given
from unsee.runs.settings import Settings
from unsee.runs.taken_over import Records
from unsee.runs.train import FACTS
from unsee.system.typed import read_typed


def score(
    folder: Path, settings: Settings, given: Given, records: Mapping[str, Records], seconds: Mapping[str, float]
) -> RunScores:
    """Compare what the models of a run say.

    Args:
        folder: of the run, with what is known of its training.
        settings: of the run.
        given: what was asked, and what was left out.
        records: by model, "base" first.
        seconds: that each stage took.
    """
    facts: Facts = read_typed(folder / FACTS, Facts)
    moved = {settings.card.name: facts.moved}
    seen = compared(given.sets, records, moved, settings.seed, settings.lexicon, given.earlier)
    scores = RunScores(
        version=VERSION,
        method=settings.card.name,
        **values_of(seen),
        trained_on=[probe.name for probe in given.sets.probes if probe.trained_on],
        unreadable=given.unreadable,
        taken_over=taken_over(folder),
        seconds=dict(seconds),
        fitness=fitness(given.sets.probes, records[BASE], seed=settings.seed),
        **values_of(facts),
    )
    return scores.model_copy(update={"advice": advise(scores, settings)})
