"""What a run says, and leaves behind, where only its work shows that something was given wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from unsee.errors import InputError
from unsee.runs.folder import fail_folder
from unsee.runs.settings import Settings
from unsee.system import processes


@contextmanager
def making_the_model(folder: Path, settings: Settings, device: torch.device) -> Iterator[None]:
    """Within: the base is measured and trained. A run that cannot go on makes room for one with other settings.

    Args:
        folder: of the run.
        settings: of the run.
        device: where the model is.

    Raises:
        InputError: for what may fail, with what to change.
    """
    try:
        yield
    except (InputError, torch.OutOfMemoryError, FloatingPointError) as error:
        # A picture that the processor refuses, a threshold that no weight passes, a batch too large, a loss that is no
        # number: known only now. A full disk is nothing that was given wrong.
        wrong = isinstance(error, InputError) and not isinstance(error.__cause__, OSError)
        if isinstance(error, processes.OtherFailedError):
            wrong = error.wrong_input
        if processes.is_main():
            fail_folder(folder, error, wrong)
        if isinstance(error, InputError):
            raise
        if isinstance(error, FloatingPointError):
            raise InputError(f"{error}; choose a smaller learning_rate than {settings.learning_rate:g}") from error
        raise InputError(
            f"{device} has too little memory; choose a smaller batch_size, saliency_batch_size or "
            "eval_batch_size, or --lora"
        ) from error


@contextmanager
def measuring_the_model() -> Iterator[None]:
    """Within: the model that a run has written is measured. The run stays as it is, and can go on."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise InputError(
            "too little memory to measure the model, which is written; start again with a smaller eval_batch_size"
        ) from error
