"""The second and the fourth stage of a run: what models say, before the training and after it."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path

from unsee.data import Probe
from unsee.evaluation.compared import BASE
from unsee.evaluation.measure import check_numbers, measure_all
from unsee.runs.clock import Clock
from unsee.runs.gold import GOLD, gold_records, known_gold
from unsee.runs.models import load_unlearned
from unsee.runs.settings import Settings
from unsee.runs.taken_over import Records
from unsee.vlm import LoadedModel


def measure_base(folder: Path, settings: Settings, probes: Sequence[Probe], loaded: LoadedModel) -> Records:
    """What the model says that a run begins with. What the folder holds of it already is not asked again.

    Args:
        folder: of the run, where records are kept.
        settings: of the run.
        probes: what is asked.
        loaded: the model.

    Raises:
        InputError: a row cannot be asked, or the answers are no numbers.
    """
    return _measure(folder, settings, probes, loaded, BASE, settings.model)


def measure_after(folder: Path, settings: Settings, probes: Sequence[Probe], clock: Clock) -> dict[str, Records]:
    """What the model says that a run has written, and gold where there is one; by name, gold first.

    Each is loaded here, and gone before the next one is.

    Args:
        folder: of the run, with its model.
        settings: of the run.
        probes: what the base was asked.
        clock: takes the time of asking.

    Raises:
        InputError: a model cannot be loaded or asked.
    """
    gc.collect()  # trainers hold themselves and their model in circles
    after = {settings.card.name: _measure_unlearned(folder, settings, probes, clock)}
    if not known_gold(folder, settings):
        return after
    gc.collect()  # gold comes in the place of the model
    with clock("measure gold"):
        return {GOLD: gold_records(folder, settings, probes), **after}


def _measure_unlearned(folder: Path, settings: Settings, probes: Sequence[Probe], clock: Clock) -> Records:
    # Loaded anew although it was in memory a moment ago: what is measured is what lies in the folder.
    loaded = load_unlearned(folder, settings)
    with clock("measure"):
        return _measure(folder, settings, probes, loaded, settings.card.name, str(folder / "model"))


def _measure(
    folder: Path, settings: Settings, probes: Sequence[Probe], loaded: LoadedModel, name: str, source: str
) -> Records:
    records = measure_all(loaded, probes, folder / "records" / name, settings.eval_batch_size, settings.max_new_tokens)
    for rows in records.values():
        check_numbers(rows, source)
    return records
