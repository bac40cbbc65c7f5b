"""How everything in the world is trained from nothing: on the CPU, along a cosine, in silence but for one bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import nn
from torch.utils.data import Dataset, SequentialSampler
from transformers import CLIPVisionModel, LlavaForConditionalGeneration, LlavaProcessor, Trainer, TrainingArguments

from unsee.data import Example
from unsee.methods import build
from unsee.training.bar import Bar, quiet_trainer
from unsee.training.by_length import ByLength
from unsee.training.checkpoints import latest_checkpoint
from unsee.training.config import UnlearnConfig
from unsee.training.trainer import UnlearnTrainer
from unsee.vlm import Encoder, LoadedModel
from unsee.vlm.parts import freeze_other_parts

STEPS_LOST_AT_MOST = 500  # of a training that goes on where it was interrupted


def schedule(folder: Path, steps: int, batch: int, rate: float, warm_up: int, seed: int) -> dict[str, Any]:
    """Keyword arguments of `transformers.TrainingArguments` and what derives from it.

    Args:
        folder: that the trainer may use.
        steps: optimizer steps.
        batch: rows per step.
        rate: the highest learning rate.
        warm_up: steps until then.
        seed: of the order of rows.
    """
    return {
        "output_dir": str(folder),
        "max_steps": steps,
        "per_device_train_batch_size": batch,
        "learning_rate": rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": warm_up,
        "seed": seed,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
    }


def fit(
    model: nn.Module,
    rows: Dataset[Any],
    collate: Callable[[Any], Any],
    description: str,
    schedule: dict[str, Any],
    in_order: bool = False,
) -> None:
    """Train a model that returns its loss.

    Args:
        model: trained in place.
        rows: of the training.
        collate: makes a batch of some of them.
        description: for the progress bar.
        schedule: as the function of that name gives it.
        in_order: take the rows as they come instead of shuffled.
    """
    trainer = (_InOrder if in_order else Trainer)(
        model=model,
        args=TrainingArguments(**schedule),
        train_dataset=rows,
        data_collator=collate,
        callbacks=[Bar(description)],
    )
    quiet_trainer(trainer)
    trainer.train()


class _InOrder(Trainer):
    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        return SequentialSampler(train_dataset if train_dataset is not None else self.train_dataset)  # type: ignore[arg-type]


def train_llava(
    model: LlavaForConditionalGeneration,
    processor: LlavaProcessor,
    rows: Sequence[Example],
    encoder: Path,
    schedule: dict[str, Any],
    by_length: bool = False,
    checkpoints: Path | None = None,
) -> None:
    """Teach a LLaVA some rows and write its checkpoint, with its processor, to the folder of the schedule.

    Args:
        model: with random weights.
        processor: whose tokenizer knows the words of the rows.
        rows: what the model is to know.
        encoder: folder of the pre-trained image encoder, which stays frozen.
        schedule: as the function of that name gives it.
        by_length: let rows of about the same length share a batch, which takes less time where lengths differ much.
        checkpoints: a folder in which a training that was interrupted left off, and another one may.
    """
    model.model.vision_tower.load_state_dict(CLIPVisionModel.from_pretrained(encoder).state_dict())
    freeze_other_parts(model, ("projector", "language"))
    loaded = LoadedModel(model, processor, Encoder(processor, [processor.tokenizer.eos_token_id]), "world")
    kept: dict[str, Any] = {"save_strategy": "steps", "save_steps": STEPS_LOST_AT_MOST, "save_total_limit": 1}
    kept = {**kept, "output_dir": str(checkpoints)} if checkpoints else {}
    arguments = UnlearnConfig(**{**schedule, **kept}, adam_beta2=0.98)
    make = ByLength if by_length else UnlearnTrainer
    trainer = make(loaded, arguments, method=build("retain_finetune"), forget=rows, retain=rows)
    last = latest_checkpoint(checkpoints) if checkpoints else None
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    model.save_pretrained(schedule["output_dir"])
    processor.save_pretrained(schedule["output_dir"])
