"""One supervised training from settings to a folder, in four stages: check, train, measure, score.

Every stage leaves a file behind and is passed over when that file is there. Nothing is written before everything that
was given has been checked.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from unsee.data import Example, Probe
from unsee.errors import InputError
from unsee.evaluation.fitness import fitness
from unsee.evaluation.measure import check_numbers, check_probe, measure_all
from unsee.evaluation.records import Record
from unsee.evaluation.registry import metrics
from unsee.evaluation.scores import score
from unsee.runs.clock import Clock
from unsee.runs.failing import measuring_the_model
from unsee.runs.folder import drop_checkpoints
from unsee.runs.models import load_to_train
from unsee.runs.supervised.folder import check_folder, is_begun, start_folder, training_the_model
from unsee.runs.supervised.lessons import Lessons, lessons
from unsee.runs.supervised.looks import enough
from unsee.runs.supervised.scores import Ended, Facts, TrainScores
from unsee.runs.supervised.settings import TrainSettings, Until
from unsee.runs.supervised.train import FACTS, train
from unsee.system import processes
from unsee.system.files import write_json
from unsee.system.launch import check_launch
from unsee.system.lock import locked
from unsee.system.typed import read_typed
from unsee.vlm import LoadedModel, load
from unsee.vlm.hub import find
from unsee.vlm.lora import base_of

Records = dict[str, list[Record]]


@dataclass(frozen=True)
class Learned:
    """A finished training.

    Attributes:
        folder: that holds it.
        settings: of it.
        probes: what was asked at the end.
        records: what was said, by probe.
        scores: what that comes to, and how the training went.
    """

    folder: Path
    settings: TrainSettings
    probes: Sequence[Probe]
    records: Records
    scores: TrainScores

    @property
    def model(self) -> Path:
        """The checkpoint, or the adapter."""
        return self.folder / "model"


def learn(
    settings: TrainSettings,
    rows: Sequence[Example] | None = None,
    probes: Sequence[Probe] | None = None,
    overwrite: bool = False,
) -> Learned:
    """Carry out a training, or finish one that was interrupted.

    Args:
        settings: as `unsee.runs.supervised.settings.parse` gives them.
        rows: to be learned, where they are in memory; the settings name none then.
        probes: to be measured beside those that the settings name. Those that ask training rows are found.
        overwrite: start anew, whatever training the folder holds.

    Raises:
        InputError: when anything that was given is wrong, and nothing has been written then; or another process is at
            work in the folder.
    """
    check_launch()
    processes.join()
    folder = Path(settings.out)
    with processes.as_one():
        check_folder(folder, settings, overwrite)  # before a lock file is there, and again when none else can change it
    with locked(folder):
        with processes.as_one():  # all have seen the folder as it was
            check_folder(folder, settings, overwrite)
            goes_on = is_begun(folder) and not overwrite
            taught = lessons(settings, rows, probes, check_images=not goes_on)
            metrics()  # a plug-in that does not fit is known now, and not after the training
            loaded = _load(settings)
            _check_rows(settings, taught, loaded)
        processes.once(partial(start_folder, folder, settings, taught, loaded, overwrite))
        clock = Clock(folder / "checkpoints" / "seconds.json")
        if not processes.agreed((folder / "model").is_dir()):
            with training_the_model(folder, settings, loaded.device), clock("train"):
                train(folder, settings, taught, loaded)
        del loaded  # its memory is free again
        if not settings.keep_checkpoints:
            processes.once(lambda: drop_checkpoints(folder))
        with measuring_the_model(), clock("measure"):
            records = _measure(folder, settings, taught.probes)
        scores = _score(folder, settings, taught, records, clock.seconds)
        processes.once(lambda: write_json(folder / "scores.json", scores.model_dump(mode="json")))
        return Learned(folder, settings, taught.probes, records, scores)


def _load(settings: TrainSettings) -> LoadedModel:
    """The model that a training begins with, frozen but for the parts that may move."""
    if settings.merge and settings.lora is None and base_of(find(settings.model)) is None:
        raise InputError(f"merge: {settings.model} has no adapter and gets none to be merged; add --lora RANK")
    return load_to_train(settings)


def _check_rows(settings: TrainSettings, taught: Lessons, loaded: LoadedModel) -> None:
    """InputError for a row that the model cannot be trained on, or asked."""
    loaded.encoder.check(taught.rows, taught.name)
    for probe in taught.probes:
        check_probe(loaded.encoder, probe, settings.probes.get(probe.name, probe.name), settings.max_new_tokens)


def _measure(folder: Path, settings: TrainSettings, probes: Sequence[Probe]) -> Records:
    gc.collect()  # trainers hold themselves and their model in circles
    # Loaded anew although it was in memory a moment ago: what is measured is what lies in the folder.
    options: dict[str, Any] = {"dtype": settings.dtype, "trust_remote_code": settings.trust_remote_code}
    loaded = load(folder / "model", **options)
    records = measure_all(loaded, probes, folder / "records", settings.eval_batch_size, settings.max_new_tokens)
    for rows in records.values():
        check_numbers(rows, str(folder / "model"))
    return records


def _score(
    folder: Path, settings: TrainSettings, taught: Lessons, records: Records, seconds: Mapping[str, float]
) -> TrainScores:
    facts: Facts = read_typed(folder / FACTS, Facts)
    return TrainScores(
        **dict(facts),
        model=settings.model,
        role=settings.role,
        rows=len(taught.rows),
        probes={name: score(rows, seed=settings.seed).result() for name, rows in records.items()},
        roles={probe.name: probe.role for probe in taught.probes},
        trained_on=[probe.name for probe in taught.probes if probe.trained_on],
        until=_ended(settings.until, taught, facts),
        fitness=fitness(taught.probes, records, settings.role, settings.seed) if settings.role else None,
        seconds=dict(seconds),
    )


def _ended(until: Until | None, taught: Lessons, facts: Facts) -> Ended | None:
    if until is None:
        return None
    reached = bool(facts.looks) and enough(facts.looks[-1].probes, until)
    return Ended(score=until.score, probes=list(taught.watched), rows=until.rows, reached=reached)
