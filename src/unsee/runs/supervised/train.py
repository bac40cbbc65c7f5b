"""The second stage of a training: it teaches the model, writes it, and notes how that went."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from unsee.runs.supervised.lessons import Lessons
from unsee.runs.supervised.looks import PROBES, Looks
from unsee.runs.supervised.objective import Supervised
from unsee.runs.supervised.pace import Pace, pace_of
from unsee.runs.supervised.settings import TrainSettings
from unsee.system.atomic import whole_folder
from unsee.system.files import write_json
from unsee.training.by_length import ByLength
from unsee.training.checkpoints import latest_checkpoint
from unsee.training.config import UnlearnConfig
from unsee.training.trainer import UnlearnTrainer
from unsee.vlm import LoadedModel, trainable_per_part
from unsee.vlm.save import save

FACTS = Path("checkpoints", "training.json")  # what is known of the training
ADAM_BETA2 = 0.98  # of hundreds of steps the usual 0.999 would remember the first ones to the end


def train(folder: Path, settings: TrainSettings, taught: Lessons, loaded: LoadedModel) -> None:
    """Train, from the last checkpoint where there is one. The folder `model` appears when it is whole, behind `FACTS`.

    Args:
        folder: of the training.
        settings: of the training.
        taught: what the model learns.
        loaded: the model, which changes.

    Raises:
        InputError: something shows to be wrong that was given.
        FloatingPointError: a loss is no number.
    """
    checkpoints = folder / "checkpoints"
    checkpoints.mkdir(parents=True, exist_ok=True)
    last, pace = latest_checkpoint(checkpoints), pace_of(settings, loaded, taught.rows)
    looks = _looks(settings, taught, loaded)
    trainer = (ByLength if settings.group_by_length else UnlearnTrainer)(
        loaded,
        _config(settings, pace, checkpoints),
        method=Supervised(),
        forget=taught.rows,  # what the trainer counts its passes by; the objective never sees them
        retain=taught.rows,
        callbacks=[looks] if looks else None,
    )
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    if trainer.is_world_process_zero():
        write_json(folder / FACTS, _facts(trainer, loaded, pace))
        with whole_folder(folder / "model") as temporary:
            save(_merged(loaded) if settings.merge else loaded, temporary)
    trainer.accelerator.wait_for_everyone()


def _looks(settings: TrainSettings, taught: Lessons, loaded: LoadedModel) -> Looks | None:
    if settings.until is None:
        return None
    watched = [probe for probe in taught.probes if probe.name in taught.watched]
    return Looks(loaded, watched, settings.until, settings.eval_batch_size, settings.max_new_tokens)


def _merged(loaded: LoadedModel) -> LoadedModel:
    """The base with its adapter in its weights."""
    model: Any = loaded.model
    return replace(loaded, model=model.merge_and_unload())


def _facts(trainer: UnlearnTrainer, loaded: LoadedModel, pace: Pace) -> dict[str, Any]:
    """See `unsee.runs.supervised.scores.Facts`."""
    history = trainer.state.log_history
    return {
        "curve": [{"step": entry["step"], "train": entry["train_loss"]} for entry in history if "loss" in entry],
        "looks": [{"step": entry["step"], PROBES: entry[PROBES]} for entry in history if PROBES in entry],
        "steps": trainer.state.global_step,
        "learning_rate": pace.learning_rate,
        "warmup_steps": pace.warmup_steps,
        "from_nothing": pace.from_nothing,
        "parts": {part: list(counts) for part, counts in trainable_per_part(loaded.model).items()},
    }


def _config(settings: TrainSettings, pace: Pace, folder: Path) -> UnlearnConfig:
    """The trainer's arguments."""
    return UnlearnConfig(
        output_dir=str(folder),
        learning_rate=pace.learning_rate,
        max_steps=pace.steps,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.eval_batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation,
        lr_scheduler_type=settings.scheduler,
        warmup_steps=pace.warmup_steps,
        max_grad_norm=settings.max_grad_norm,
        adam_beta2=ADAM_BETA2,
        save_steps=settings.save_steps,
        seed=settings.seed,
        bf16=settings.autocast,
        report_to="none",
        disable_tqdm=True,
        use_cpu=not torch.accelerator.is_available(),
    )
