"""One unlearning from settings to a run folder, in five stages: check, measure the base, train, measure again, score.

Every stage leaves a file behind and is passed over when that file is there, so an interrupted run that is started
again with the same settings goes on where it was and ends with the same bytes. Nothing is written before everything
that was given has been checked.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from unsee.evaluation.compared import BASE
from unsee.evaluation.fitness import Fitness, fitness
from unsee.runs.base_once import take_over
from unsee.runs.check import check
from unsee.runs.clock import Clock
from unsee.runs.failing import making_the_model, measuring_the_model
from unsee.runs.finished import Run, earlier_of
from unsee.runs.folder import check_folder, drop_checkpoints, start_folder
from unsee.runs.measure import measure_after, measure_base
from unsee.runs.models import check_pieces
from unsee.runs.score import score
from unsee.runs.settings import Settings
from unsee.runs.train import train
from unsee.system import processes
from unsee.system.files import write_json
from unsee.system.launch import check_launch
from unsee.system.lock import locked


def unlearn(
    settings: Settings, base_records: Path | None = None, overwrite: bool = False, share_base: bool = True
) -> Run:
    """Carry out a run, or finish one that was interrupted.

    Args:
        settings: as `unsee.runs.settings.parse` gives them.
        base_records: a run on the same base and probes, or its records, to save measuring again.
        overwrite: start anew, whatever run the folder holds.
        share_base: take over what a run beside this one has measured of the same base; see `unsee.runs.base_once`.

    Raises:
        InputError: when anything that was given is wrong, and nothing has been written then; or another process is at
            work in the folder.
    """
    check_launch(sharded=True)
    processes.join()
    folder = Path(settings.out)
    with processes.as_one():
        check_pieces(settings)
        check_folder(folder, settings, overwrite)  # before a lock file is there, and again when none else can change it
    with locked(folder):
        with processes.as_one():  # all have seen the folder as it was
            check_folder(folder, settings, overwrite)
            given, loaded = check(folder, settings, earlier_of(settings), base_records, overwrite)
        sets = given.sets
        processes.once(partial(start_folder, folder, settings, sets, loaded, overwrite))
        if base_records is not None or share_base:
            processes.once(lambda: take_over(folder, base_records, sets.probes))
        clock = Clock(folder / "checkpoints" / "seconds.json")
        with making_the_model(folder, settings, loaded.device):
            with clock("measure base"):
                base = measure_base(folder, settings, sets.probes, loaded)
            _tell_of_unfitness(fitness(sets.probes, base, seed=settings.seed))
            if not processes.agreed((folder / "model").is_dir()):
                with clock("unlearn"):
                    train(folder, settings, sets, loaded)
        del loaded  # its memory is free again
        if not settings.keep_checkpoints:
            processes.once(lambda: drop_checkpoints(folder))
        with measuring_the_model():
            records = {BASE: base, **measure_after(folder, settings, sets.probes, clock)}
            scores = score(folder, settings, given, records, clock.seconds)
            processes.once(lambda: write_json(folder / "scores.json", scores.to_dict()))
        return Run(folder, settings, sets, records, scores)


def _tell_of_unfitness(base: Fitness | None) -> None:
    """Say on stderr, before anything is trained, that the base does not know what is to be forgotten."""
    if base is not None and base.sentence and processes.is_main():
        print(f"unsee: {base.sentence}", file=sys.stderr, flush=True)
