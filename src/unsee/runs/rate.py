"""The learning rate of a run with `find_rate`: found once, and kept with it."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from transformers import TrainerCallback
from transformers.trainer_utils import SaveStrategy

from unsee.data import Benchmark, Example, Probe
from unsee.data.development import spread, unasked
from unsee.errors import UnworkableError
from unsee.methods.method import needs_of
from unsee.runs.settings import Settings
from unsee.system import processes, progress
from unsee.system.files import write_json
from unsee.system.typed import read_typed
from unsee.training.config import UnlearnConfig
from unsee.training.range_test import RangeTest
from unsee.training.rates import FoundRate, Tried, chosen, rates
from unsee.training.trainer import UnlearnTrainer
from unsee.vlm import LoadedModel

RATE_FILE = "rate.json"  # among the checkpoints: what the test has found
ROWS = 48  # looked at most per set, where the run has no development rows

MakeTrainer = Callable[[UnlearnConfig, list[TrainerCallback]], UnlearnTrainer]


def found_rate(
    settings: Settings,
    rows: Mapping[str, Sequence[Example]],
    loaded: LoadedModel,
    arguments: UnlearnConfig,
    make: MakeTrainer,
) -> FoundRate:
    """The rate of a run; tested where its folder has none yet.

    Args:
        settings: of the run.
        rows: to look at, by set.
        loaded: the model, whose weights are afterwards what they were.
        arguments: of the run's trainer.
        make: builds a trainer of the run's method and rows with other arguments and callbacks.

    Raises:
        UnworkableError: nothing is trained by steps, so that there is no rate.
    """
    path = Path(str(arguments.output_dir)) / RATE_FILE
    if not processes.agreed(path.is_file()):
        needs = needs_of(settings.built_method)
        if not (needs.forget or needs.retain or needs.refusals):
            raise UnworkableError(f"find_rate: {settings.card.name} takes no steps, so there is no rate to find")
        found = _tested(settings, rows, loaded, arguments, make)
        processes.once(lambda: write_json(path, found.model_dump(mode="json")))
    known: FoundRate = read_typed(path, FoundRate)
    return known


def _tested(
    settings: Settings,
    rows: Mapping[str, Sequence[Example]],
    loaded: LoadedModel,
    arguments: UnlearnConfig,
    make: MakeTrainer,
) -> FoundRate:
    wanted = rates(settings.learning_rate)
    test = RangeTest(loaded.encoder, rows, wanted, settings.eval_batch_size)
    of_test = copy.copy(arguments)
    of_test.max_steps, of_test.save_strategy = len(wanted), SaveStrategy.NO
    try:
        with progress.stage("range test"):
            make(of_test, [test]).train()
    except FloatingPointError:  # a rate at which the loss is no number breaks everything
        test.tried.append(Tried(rate=wanted[len(test.tried)], likely=dict.fromkeys(rows)))
    finally:
        test.put_back()  # after whatever the method does at the end
        gc.collect()  # trainers hold themselves in circles
    return chosen(test.tried, test.start)


def rows_to_look_at(sets: Benchmark, reported: Sequence[Probe] = ()) -> dict[str, Sequence[Example]]:
    """Of each set a few that are in no reported probe, of a run that holds none out."""
    sets_by_name = {name: unasked(getattr(sets, name), reported) for name in ("forget", "retain", "preserve")}
    return {name: spread(rows, ROWS) for name, rows in sets_by_name.items() if rows}
