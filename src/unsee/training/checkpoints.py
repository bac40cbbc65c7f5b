"""Checkpoints of a training: marked when they are whole, taken away when they cannot be, looked at before a resume."""

from __future__ import annotations

import errno
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from unsee.errors import InputError
from unsee.vlm.checkpoint import read_object, stored_weights

COMPLETE = "complete"  # an empty file that a checkpoint gets last of all; one without it is never resumed from


class MarkComplete(TrainerCallback):
    """Marks a checkpoint once all of it is on disk."""

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            (Path(str(args.output_dir)) / f"checkpoint-{state.global_step}" / COMPLETE).touch()


@contextmanager
def written_whole(folder: Path) -> Iterator[None]:
    """Take away what of a checkpoint could be written where the rest could not, and say why in one line.

    A full disk comes as an error of the system, of safetensors, or of the archives that torch writes.

    Args:
        folder: of the checkpoint that is written meanwhile.

    Raises:
        InputError: the disk refused some of it.
    """
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "inline_container" not in str(error):
            raise
        shutil.rmtree(folder, ignore_errors=True)
        system = error if isinstance(error, OSError) else OSError(errno.ENOSPC, "the disk seems to be full")
        raise InputError(
            f"cannot write {folder}: {system.strerror or system}; make room, and start the same command again"
        ) from system


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint in a folder, or None. Incomplete and damaged ones are left alone, never used."""
    complete = [path for path in folder.glob("checkpoint-*") if (path / COMPLETE).is_file()]
    newest_first = sorted(complete, key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    return next((path for path in newest_first if _is_sound(path)), None)


def _is_sound(checkpoint: Path) -> bool:
    """Whether files have the lengths that they say; a disk that was full or failed leaves others."""
    stem = "adapter_model" if (checkpoint / "adapter_config.json").is_file() else "model"
    try:
        read_object(checkpoint / "trainer_state.json")
        stored_weights(checkpoint, stem)
    except InputError:
        return False
    return all(zipfile.is_zipfile(path) for path in checkpoint.glob("*.pt*"))  # optimizer, schedule, random numbers
