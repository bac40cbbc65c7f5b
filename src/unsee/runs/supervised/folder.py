"""The folder of a supervised training: whether it may be written to, which training it holds, how it is given up."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from unsee.data import digest
from unsee.errors import InputError
from unsee.runs.folder import check_place, check_same, stored_in, versions
from unsee.runs.supervised.lessons import Lessons
from unsee.runs.supervised.settings import SOURCES, TrainSettings
from unsee.system import processes
from unsee.system.files import write_text
from unsee.system.lock import is_free
from unsee.system.strict import dump_yaml
from unsee.vlm import LoadedModel
from unsee.vlm.reference import start_digest

NAME = "train.yaml"  # the settings, versions, and digests of model and data
OWN = ("records", "checkpoints", "model", "scores.json")  # what a training writes beside it


def is_begun(folder: Path) -> bool:
    """Whether a folder holds a training that goes on, or is finished."""
    return (folder / NAME).is_file()


def check_folder(folder: Path, settings: TrainSettings, overwrite: bool) -> None:
    """InputError unless a training with these settings may be written to this folder, or goes on in it.

    Args:
        folder: of the training.
        settings: of the training.
        overwrite: whether any training that is there is to make room.
    """
    if check_place(folder) != folder or is_free(folder):
        return
    if not is_begun(folder):
        raise InputError(f"out: {folder} is not empty and holds no training; give a folder that does not exist yet")
    if not overwrite:
        check_same(folder, stored_in(folder, NAME)["settings"], _kept(settings))
        return
    sources = [getattr(settings, name) for name in SOURCES] + list(settings.probes.values())
    for source in filter(None, sources):
        path = Path(source).resolve()
        if any(folder.resolve() / name in (path, *path.parents) for name in OWN):
            raise InputError(f"out: {source} lies in {folder}, which would be overwritten; give another folder")


def start_folder(folder: Path, settings: TrainSettings, lessons: Lessons, loaded: LoadedModel, overwrite: bool) -> None:
    """Write `train.yaml`, or see that the one that is there was made from the same model and data.

    Raises:
        InputError: it was not.
    """
    hashes = {
        "model": start_digest(loaded.model),
        "rows": digest(lessons.rows),
        "probes": {probe.name: digest(probe.examples) for probe in lessons.probes},
    }
    if is_begun(folder) and not overwrite:
        check_same(folder, stored_in(folder, NAME)["hashes"], hashes, "the content of ")
        return
    _clear(folder)
    write_text(folder / NAME, dump_yaml({"settings": _kept(settings), "versions": versions(), "hashes": hashes}))


@contextmanager
def training_the_model(folder: Path, settings: TrainSettings, device: torch.device) -> Iterator[None]:
    """Within: the model is trained. One that cannot be, and has come to no checkpoint yet, leaves nothing behind.

    Raises:
        InputError: for what may fail, with what to change.
    """
    try:
        yield
    except (InputError, torch.OutOfMemoryError, FloatingPointError) as error:
        if processes.is_main() and not any((folder / "checkpoints").glob("checkpoint-*")):
            _clear(folder)
        if isinstance(error, InputError):
            raise
        if isinstance(error, FloatingPointError):
            raise InputError(f"{error}; choose a smaller learning_rate") from error
        raise InputError(f"{device} has too little memory; choose a smaller batch_size, or --lora") from error


def _clear(folder: Path) -> None:
    """Take away a training; its `train.yaml` first, so that what is left is never taken for whole."""
    (folder / NAME).unlink(missing_ok=True)
    for place in (folder / name for name in OWN):
        shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)


def _kept(settings: TrainSettings) -> dict[str, Any]:
    """The settings as `train.yaml` holds them: all but its own place."""
    return settings.model_dump(mode="json", exclude={"out"})
