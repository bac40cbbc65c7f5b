"""Gold for a run that is finished already: its records and scores come beside those of base and the method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from unsee.errors import InputError
from unsee.evaluation.compared import BASE, compared
from unsee.evaluation.run_scores import VERSION
from unsee.runs.finished import Run
from unsee.runs.gold import GOLD, check_gold_model, check_gold_records, gold_records, is_asked_anew
from unsee.system.files import write_json
from unsee.system.lock import locked


def with_gold(run: Run, gold: str) -> Run:
    """Measure gold on the probes of a finished run, or read its records, and keep both in the run's folder.

    Args:
        run: as `unsee.runs.finished.open_run` gives it; a gold that it has makes room for another one.
        gold: folder or hub id of a model, or folder of records.

    Raises:
        InputError: gold cannot be read or asked, its records are of other rows, the data of the run have gone and are
            needed, or another process is at work in the folder.
    """
    settings = run.settings.model_copy(update={"gold": gold}).resolved(run.settings.card)
    with locked(run.folder):
        names = [probe.name for probe in run.benchmark.probes]
        if run.lost and (run.scores.judged[BASE] or is_asked_anew(run.folder, settings, names)):
            raise InputError(f"gold: needs the data of the run, and {run.lost[0]}")
        check_gold_model(run.folder, settings, run.benchmark)
        check_gold_records(settings, run.benchmark.probes)
        by_probe = gold_records(run.folder, settings, run.benchmark.probes)
        records = {BASE: run.records[BASE], GOLD: by_probe}
        # How many pictures were trained on is known, and does not depend on gold: no picture is read for it.
        probes = [
            replace(probe, examples=[replace(row, image=None) for row in probe.examples])
            for probe in run.benchmark.probes
        ]
        benchmark = replace(run.benchmark, forget=(), retain=(), probes=probes)
        of_gold = compared(benchmark, records, {}, settings.seed, settings.lexicon)
        values = {
            "version": VERSION,
            "models": _beside(run.scores.models, of_gold.models[GOLD]),
            "hallucination": _beside(run.scores.hallucination, of_gold.hallucination[GOLD]),
            "judged": _beside(run.scores.judged, of_gold.judged.get(GOLD, {})),
            "condition": _beside(run.scores.condition, of_gold.condition[GOLD]),
        }
        scores = run.scores.model_copy(update=values)
        write_json(run.folder / "scores.json", scores.to_dict())
    return replace(run, settings=settings, records=_beside(run.records, by_probe), scores=scores)


def _beside(of_models: Mapping[str, Any], of_gold: Any) -> dict[str, Any]:
    """What belongs to each model, gold's behind base's and before those of methods."""
    first = {BASE: of_models[BASE]} if BASE in of_models else {}
    return {
        **first,
        GOLD: of_gold,
        **{name: of_model for name, of_model in of_models.items() if name not in (BASE, GOLD)},
    }
