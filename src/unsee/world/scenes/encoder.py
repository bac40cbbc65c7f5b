"""Pre-training of the captioners' image encoder: what is in each quarter of a scene, and the colour of the ground.

Captioners start from an encoder that can see, as real ones do, and keep it frozen; what they hallucinate, they
hallucinate with open eyes. Its scenes belong to no world and come without captions: it never learns what usually goes
together.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import TensorDataset
from transformers import CLIPVisionModel, LlavaProcessor

from unsee.system.progress import progress
from unsee.world.architecture import IMAGE_SIZE, VISION_WIDTH, vision_config
from unsee.world.pretraining import collate, pixels_of
from unsee.world.scenes.captions import MOST_OBJECTS
from unsee.world.scenes.scenes import GROUNDS, OBJECTS, Scene, distinct_scenes, draw_scene
from unsee.world.training import fit, schedule

SCENES, STEPS, BATCH, LEARNING_RATE, WARM_UP, SEED = 3000, 400, 64, 1e-3, 20, 0
PATCH_SIZE = IMAGE_SIZE // 2  # pixels: a patch, and so an image token, is a quarter of a scene
_NOTHING = len(OBJECTS)  # the class of an empty quarter


class QuarterClassifier(nn.Module):
    """An image encoder with a linear head on each patch, which is a quarter of a scene, and one for the ground.

    The quarters share their head, so that an object seen in one of them is known in all.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = CLIPVisionModel(vision_config(PATCH_SIZE))
        self.objects = nn.Linear(VISION_WIDTH, len(OBJECTS) + 1)
        self.ground = nn.Linear(VISION_WIDTH, len(GROUNDS))

    def forward(self, pixel_values: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Mean cross-entropy over the quarters, and that of the ground.

        Args:
            pixel_values: shape (batch, 3, height, width).
            labels: class of each quarter, row by row, and of the ground; shape (batch, 5).
        """
        tokens = self.encoder(pixel_values).last_hidden_state[:, 1:]
        objects = F.cross_entropy(self.objects(tokens).flatten(0, 1), labels[:, :4].flatten())
        return {"loss": objects + F.cross_entropy(self.ground(tokens.mean(1)), labels[:, 4])}


def quarters_of(scene: Scene) -> list[int]:
    """The class of what is in each quarter, from the top left row by row, then that of the ground."""
    classes = [_NOTHING] * 4
    half = IMAGE_SIZE // 2
    for name, (left, top) in zip(scene.objects, scene.positions, strict=True):
        classes[2 * (top >= half) + (left >= half)] = list(OBJECTS).index(name)
    return [*classes, list(GROUNDS).index(scene.ground)]


def pretrain_scene_encoder(processor: LlavaProcessor, scratch: Path) -> CLIPVisionModel:
    """Train the image encoder.

    Args:
        processor: whose image processor every model uses.
        scratch: a folder that the trainer may use.
    """
    scenes = distinct_scenes(SCENES, "pre-training of captioners", MOST_OBJECTS)
    starts = progress(range(0, SCENES, 500), "pictures for the image encoder")
    pixels = [pixels_of(processor, [draw_scene(scene) for scene in scenes[start : start + 500]]) for start in starts]
    labels = torch.tensor([quarters_of(scene) for scene in scenes])
    torch.manual_seed(SEED)
    classifier = QuarterClassifier()
    plan = schedule(scratch, STEPS, BATCH, LEARNING_RATE, WARM_UP, SEED)
    fit(classifier, TensorDataset(torch.cat(pixels), labels), collate, "image encoder of captioners", plan)
    return classifier.encoder
