"""A tiny but real CLIP, trained from nothing on crops of scenes and the names of what is in them.

It judges whether an object is in a picture, as CLIP does for EFUF. It has never seen a caption of the world: neither
which objects go together nor how anybody describes a scene.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    PreTrainedTokenizerFast,
)

from unsee.data.pictures import decode
from unsee.world.architecture import make_processor
from unsee.world.scenes.captions import MOST_OBJECTS, with_article
from unsee.world.scenes.scenes import ICON, OBJECTS, Scene, distinct_scenes, draw_scene
from unsee.world.training import fit, schedule

WINDOW, PATCH, WIDTH, LAYERS = 32, 8, 96, 3  # pixels; a window is what CLIP sees
SCENES, STEPS, BATCH, LEARNING_RATE, SEED = 2000, 400, 64, 1e-3, 0
SEEN = 0.6  # share of an object's square that must be in a window for the object to be named
TEMPLATES = ("A photo containing {}.", "A photo of {}.", "{}")


class Crops(Dataset[list[tuple[Image.Image, str]]]):
    """Batches of windows with the names of what is in them, no two of a batch with the same names.

    Args:
        batches: how many.
        size: windows in a batch.
        seed: of everything.
    """

    def __init__(self, batches: int, size: int, seed: int) -> None:
        self.batches, self.size, self.seed = batches, size, seed
        scenes = distinct_scenes(SCENES, f"crops/{seed}", MOST_OBJECTS)
        self.scenes = [(scene, decode(draw_scene(scene))) for scene in scenes]

    def __len__(self) -> int:
        return self.batches

    def __getitem__(self, number: int) -> list[tuple[Image.Image, str]]:
        rng = Random(f"{self.seed}/{number}")
        crops: dict[tuple[str, ...], tuple[Image.Image, str]] = {}
        for attempt in count():
            scene, picture = rng.choice(self.scenes)
            left, top = rng.randint(0, picture.width - WINDOW), rng.randint(0, picture.height - WINDOW)
            names = objects_in(scene, left, top)
            if names and (names not in crops):
                window = picture.crop((left, top, left + WINDOW, top + WINDOW))
                crops[names] = window, rng.choice(TEMPLATES).format(_listed(names, rng))
            if len(crops) == self.size or attempt > 20 * self.size:
                break
        return list(crops.values())


def objects_in(scene: Scene, left: int, top: int) -> tuple[str, ...]:
    """The objects of which enough is in a window."""
    return tuple(
        name
        for name, (x, y) in zip(scene.objects, scene.positions, strict=True)
        if _overlap(x, left) * _overlap(y, top) >= SEEN * ICON**2
    )


def _overlap(place: int, edge: int) -> int:
    return max(0, min(place + ICON, edge + WINDOW) - max(place, edge))


def _listed(names: Sequence[str], rng: Random) -> str:
    shuffled = rng.sample(names, len(names))
    return " and ".join(with_article(name) if rng.random() < 0.8 else name for name in shuffled)


def train_clip(folder: Path) -> None:
    """Train the CLIP and write it with its processor as an ordinary checkpoint."""
    processor = _processor()
    torch.manual_seed(SEED)
    model = _Distinct(CLIPModel(_config(processor.tokenizer)))
    plan = schedule(folder, STEPS, 1, LEARNING_RATE, 20, SEED)  # a row of the data is a whole batch
    fit(
        model,
        Crops(STEPS, BATCH, SEED),
        lambda batches: _tensors(processor, batches[0]),
        "CLIP of scenes",
        {**plan, "remove_unused_columns": False},
        in_order=True,
    )
    model.clip.save_pretrained(folder)
    processor.save_pretrained(folder)


class _Distinct(nn.Module):
    """CLIP with its contrastive loss: every text of a batch fits one window alone."""

    def __init__(self, clip: CLIPModel) -> None:
        super().__init__()
        self.clip = clip

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        return {"loss": self.clip(**inputs, return_loss=True).loss}


def _tensors(processor: Any, batch: list[tuple[Image.Image, str]]) -> dict[str, Tensor]:
    windows, texts = zip(*batch, strict=True)
    encoded = processor(images=list(windows), text=list(texts), return_tensors="pt", padding=True)
    return {name: encoded[name] for name in ("input_ids", "attention_mask", "pixel_values")}


def _processor() -> Any:
    texts = [template.format(with_article(name)) for name in OBJECTS for template in TEMPLATES for _ in range(3)]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=make_processor([*texts, *(" and " for _ in range(9))]).tokenizer.backend_tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        model_max_length=40,
    )
    from tokenizers.processors import TemplateProcessing

    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>",
        special_tokens=[("<s>", tokenizer.bos_token_id), ("</s>", tokenizer.eos_token_id)],
    )
    pictures = CLIPImageProcessor(size={"shortest_edge": WINDOW}, crop_size={"height": WINDOW, "width": WINDOW})
    return CLIPProcessor(image_processor=pictures, tokenizer=tokenizer)


def _config(tokenizer: Any) -> CLIPConfig:
    shape = {
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "projection_dim": WIDTH,
    }
    return CLIPConfig(
        vision_config={**shape, "image_size": WINDOW, "patch_size": PATCH},
        text_config={
            **shape,
            "num_hidden_layers": 2,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 40,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        projection_dim=WIDTH,
    )
