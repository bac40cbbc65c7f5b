"""The captioners of a world of scenes, and the CLIP that judges them, kept in a cache as ordinary checkpoints.

The base learns from biased captions and hallucinates objects; gold learns from clean ones. Both start from the same
weights and the same frozen image encoder, and see the same questions. The encoder and the CLIP belong to no world, so
every seed shares them. What can be trained side by side is, each on one thread: the outcome does not depend on the
number of cores.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from transformers import LlavaProcessor

from unsee.data import Example, digest
from unsee.system.workers import Job, run_all
from unsee.world import architecture
from unsee.world.architecture import make_model, make_processor
from unsee.world.models import being_made, built, cache_folder, cache_key, constants
from unsee.world.scenes import captions as scene_captions
from unsee.world.scenes import clip as scene_clip
from unsee.world.scenes import encoder as scene_encoder
from unsee.world.scenes import scenes
from unsee.world.scenes.captions import CaptionWorld
from unsee.world.training import schedule, train_llava

STEPS, BATCH, LEARNING_RATE, WARM_UP = 1000, 32, 1e-3, 40
LANGUAGE_LAYERS = 3
SAMPLE = 200  # rows that stand for all of them in the cache's key; the numbers above say how many there are
RECIPE = 1  # to be raised when a training changes in a way that no number shows


@dataclass(frozen=True)
class Captioners:
    """Folders with checkpoints that `transformers` and every command of this package can load."""

    base: Path
    gold: Path
    clip: Path
    from_cache: bool  # whether all were there already


def prepare_captioners(world: CaptionWorld, cache: Path | None = None) -> Captioners:
    """Train the captioners of a world and the CLIP, or find them in the cache.

    Args:
        world: whose captions they learn from.
        cache: another folder than that of `unsee.world.models`.
    """
    cache = cache or cache_folder()
    common = {"most": scene_captions.MOST_OBJECTS, "scenes": constants(scenes), "recipe": RECIPE}
    own = {"encoder": {**constants(scene_encoder), **constants(architecture)}, "clip": constants(scene_clip)}
    shared = {name: cache / f"scene-{name}-{cache_key({**common, name: own[name]})}" for name in own}
    steps = {"encoder": scene_encoder.STEPS, "clip": scene_clip.STEPS}
    with being_made(shared) as missing:
        run_all(
            [Job(f"{__name__}:{name}_job", {"folder": str(shared[name])}) for name in missing],
            "image encoder and CLIP of scenes",
            sum(steps[name] for name in missing),
        )
    folders = {name: cache / f"captioner-{_key(world, name, shared['encoder'])}" for name in ("base", "gold")}
    arguments = {"seed": world.seed, "encoder": str(shared["encoder"])}
    with being_made(folders) as untrained:
        run_all(
            [
                Job(f"{__name__}:train_job", {**arguments, "name": name, "folder": str(folders[name])})
                for name in untrained
            ],
            f"captioners of world {world.seed}",
            STEPS * len(untrained),
        )
    return Captioners(folders["base"], folders["gold"], shared["clip"], from_cache=not (missing or untrained))


def _key(world: CaptionWorld, name: str, encoder: Path) -> str:
    """Everything that a captioner depends on."""
    training = [STEPS, BATCH, LEARNING_RATE, WARM_UP, LANGUAGE_LAYERS, RECIPE]
    rows = digest(islice(training_rows(world, name), SAMPLE))
    parts = {"world": constants(scene_captions), "model": constants(architecture), "rows": rows}
    return cache_key({**parts, "training": training, "encoder": encoder.name, "init": world.seed})


def training_rows(world: CaptionWorld, name: str) -> Iterable[Example]:
    """What the base or gold learns from."""
    return world.rows(world.training, biased=name == "base")


def encoder_job(folder: str) -> None:
    """Pre-train the image encoder into the cache."""

    def make(scratch: Path) -> None:
        with tempfile.TemporaryDirectory() as elsewhere:
            # Pixels depend on the processor's sizes alone, not on its words.
            encoder = scene_encoder.pretrain_scene_encoder(
                make_processor(["a scene"], patch_size=scene_encoder.PATCH_SIZE), Path(elsewhere)
            )
            encoder.save_pretrained(scratch)

    built(Path(folder), make)


def clip_job(folder: str) -> None:
    """Train the CLIP into the cache."""
    built(Path(folder), scene_clip.train_clip)


def train_job(seed: int, name: str, encoder: str, folder: str) -> None:
    """Train one captioner into the cache."""
    world = CaptionWorld(seed)
    rows = list(training_rows(world, name))
    processor = _processor(world)
    built(Path(folder), lambda scratch: train_captioner(processor, rows, seed, Path(encoder), scratch))


def train_captioner(
    processor: LlavaProcessor, rows: list[Example], seed: int, encoder: Path, folder: Path, steps: int = STEPS
) -> None:
    """Train one captioner and write its checkpoint.

    Args:
        processor: whose tokenizer knows the words of the rows.
        rows: captions and questions about scenes.
        seed: of the starting weights and the order of rows.
        encoder: folder of the image encoder, which stays frozen.
        folder: where the checkpoint goes.
        steps: optimizer steps.
    """
    plan = schedule(folder, steps, BATCH, LEARNING_RATE, WARM_UP, seed)
    train_llava(make_model(processor, seed, LANGUAGE_LAYERS), processor, rows, encoder, plan)


def _processor(world: CaptionWorld) -> LlavaProcessor:
    """Of the base and of gold alike."""
    rows = (row for name in ("base", "gold") for row in training_rows(world, name))
    texts = [f"USER: {row.question} ASSISTANT: {row.answer}" for row in rows]
    return make_processor(texts, patch_size=scene_encoder.PATCH_SIZE)
