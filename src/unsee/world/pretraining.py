"""Pre-training of the image encoder: attributes of faces that are nobody's.

A real vision-language model starts from an encoder that has seen the world; without one, a tiny model spends most of
its training on telling hair from hats. The encoder learns hair, skin, glasses, clothes and so on from random
portraits whose faces belong to no person of any world, and every model of every world starts from it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset
from transformers import CLIPVisionModel, LlavaProcessor, Trainer, TrainingArguments

from unsee.progress import progress
from unsee.trainer import Bar, quiet_trainer
from unsee.world.architecture import vision_config
from unsee.world.portraits import unrelated_portraits

PORTRAITS, STEPS, BATCH, LEARNING_RATE, SEED = 6000, 400, 64, 1e-3, 0


class AttributeClassifier(nn.Module):
    """An image encoder with one linear head an attribute, read from the mean of the patch tokens."""

    def __init__(self, classes: list[int]) -> None:
        super().__init__()
        self.encoder = CLIPVisionModel(vision_config())
        width = self.encoder.config.hidden_size
        self.heads = nn.ModuleList(nn.Linear(width, count) for count in classes)

    def forward(self, pixel_values: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Mean cross-entropy over attributes; pixels (batch, 3, height, width), labels (batch, attributes)."""
        tokens = self.encoder(pixel_values).last_hidden_state[:, 1:].mean(1)
        losses = [nn.functional.cross_entropy(head(tokens), labels[:, n]) for n, head in enumerate(self.heads)]
        return {"loss": torch.stack(losses).mean()}


def pretrain_encoder(processor: LlavaProcessor, scratch: Path) -> CLIPVisionModel:
    """Train the image encoder on unrelated portraits.

    Args:
        processor: whose image processor every model uses.
        scratch: a folder that the trainer may use.
    """
    faces = unrelated_portraits(PORTRAITS, SEED)
    starts = progress(range(0, PORTRAITS, 500), "portraits of nobody", total=math.ceil(PORTRAITS / 500))
    pixels = [_pixels(processor, faces.images[start : start + 500]) for start in starts]
    data = TensorDataset(torch.cat(pixels), torch.from_numpy(faces.labels))
    torch.manual_seed(SEED)
    classifier = AttributeClassifier([len(values) for values in faces.attributes.values()])
    arguments = TrainingArguments(
        output_dir=str(scratch),
        max_steps=STEPS,
        per_device_train_batch_size=BATCH,
        learning_rate=LEARNING_RATE,
        lr_scheduler_type="cosine",
        warmup_steps=20,
        seed=SEED,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
    )
    trainer = Trainer(
        model=classifier, args=arguments, train_dataset=data, data_collator=_collate, callbacks=[Bar("image encoder")]
    )
    quiet_trainer(trainer)
    trainer.train()
    return classifier.encoder


def _pixels(processor: LlavaProcessor, images: Any) -> Tensor:
    pixels: Tensor = processor.image_processor(list(images), return_tensors="pt")["pixel_values"]
    return pixels


def _collate(rows: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    pixels, labels = zip(*rows, strict=True)
    return {"pixel_values": torch.stack(pixels), "labels": torch.stack(labels)}
