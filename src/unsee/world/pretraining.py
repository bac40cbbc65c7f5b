"""Pre-training of the image encoder: attributes of faces that are nobody's, and objects of other scenes.

A real vision-language model starts from an encoder that has seen the world; without one, a tiny model spends most of
its training on telling hair from hats. The encoder learns hair, skin, glasses, clothes and so on from random
portraits whose faces belong to no person of any world, and objects from scenes of no world. Every model of every
world starts from it, and keeps it frozen while it is trained, as LLaVA does.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import TensorDataset
from transformers import CLIPVisionModel, LlavaProcessor

from unsee.data.pictures import decode
from unsee.system.progress import progress
from unsee.vlm.batch import IGNORED
from unsee.world.architecture import IMAGE_SIZE, PATCH_SIZE, VISION_WIDTH, vision_config
from unsee.world.people.portraits import unrelated_portraits
from unsee.world.scenes.scenes import GROUNDS, OBJECTS, distinct_scenes, draw_scene
from unsee.world.training import fit, schedule

PORTRAITS, SCENES, STEPS, BATCH, LEARNING_RATE, SEED = 6000, 3000, 400, 64, 1e-3, 0


class AttributeClassifier(nn.Module):
    """An image encoder with linear heads on all its patch tokens.

    On all of them rather than on their mean: the tokens then keep what is where, and learn it several times as fast.

    Args:
        classes: number of values of each attribute; an object is an attribute with two values, absent and present.
    """

    def __init__(self, classes: list[int]) -> None:
        super().__init__()
        self.encoder = CLIPVisionModel(vision_config())
        self.classes = classes
        self.head = nn.Linear((IMAGE_SIZE // PATCH_SIZE) ** 2 * VISION_WIDTH, sum(classes))

    def forward(self, pixel_values: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Mean cross-entropy over the attributes that a picture has.

        Args:
            pixel_values: shape (batch, 3, height, width).
            labels: index of each attribute's value, `IGNORED` for what a picture of its kind does not have; shape
                (batch, attributes).
        """
        tokens = self.encoder(pixel_values).last_hidden_state[:, 1:].flatten(1)
        parts = self.head(tokens).split(self.classes, dim=-1)
        losses = [F.cross_entropy(part, labels[:, n], ignore_index=IGNORED) for n, part in enumerate(parts)]
        return {"loss": torch.stack(losses).mean()}


def pretrain_encoder(processor: LlavaProcessor, scratch: Path) -> CLIPVisionModel:
    """Train the image encoder.

    Args:
        processor: whose image processor every model uses.
        scratch: a folder that the trainer may use.
    """
    pixels, labels, classes = _pictures(processor)
    torch.manual_seed(SEED)
    classifier = AttributeClassifier(classes)
    plan = schedule(scratch, STEPS, BATCH, LEARNING_RATE, 20, SEED)
    fit(classifier, TensorDataset(pixels, labels), collate, "image encoder", plan)
    return classifier.encoder


def _pictures(processor: LlavaProcessor) -> tuple[Tensor, Tensor, list[int]]:
    """Pixels (pictures, 3, height, width), labels (pictures, attributes) and the number of values of each attribute."""
    faces = unrelated_portraits(PORTRAITS, SEED)
    scenes = distinct_scenes(SCENES, "pre-training")
    images = [*faces.images, *(draw_scene(scene) for scene in scenes)]
    of_faces = torch.from_numpy(faces.labels)
    of_scenes = torch.tensor(
        [[*(name in scene.objects for name in OBJECTS), list(GROUNDS).index(scene.ground)] for scene in scenes]
    ).long()
    labels = torch.full((len(images), of_faces.shape[1] + of_scenes.shape[1]), IGNORED)
    labels[:PORTRAITS, : of_faces.shape[1]] = of_faces
    labels[PORTRAITS:, of_faces.shape[1] :] = of_scenes
    starts = progress(range(0, len(images), 500), "pictures for the image encoder")
    pixels = [pixels_of(processor, images[start : start + 500]) for start in starts]
    classes = [len(values) for values in faces.attributes.values()] + [2] * len(OBJECTS) + [len(GROUNDS)]
    return torch.cat(pixels), labels, classes


def pixels_of(processor: LlavaProcessor, images: list[object]) -> Tensor:
    pictures = [decode(image) if isinstance(image, bytes) else image for image in images]
    pixels: Tensor = processor.image_processor(pictures, return_tensors="pt")["pixel_values"]
    return pixels


def collate(rows: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    pixels, labels = zip(*rows, strict=True)
    return {"pixel_values": torch.stack(pixels), "labels": torch.stack(labels)}
