"""Base and gold: tiny models trained from nothing on a world, kept in a cache as ordinary checkpoints.

The base knows everybody. Gold is trained the same way, from the same starting weights, without what a request wants
forgotten. Both are trained at once, each on one thread, so that the outcome does not depend on the number of cores.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from platformdirs import user_cache_path
from transformers import LlavaProcessor

from unsee.data import Example, digest
from unsee.errors import InputError
from unsee.system.atomic import whole_folder
from unsee.system.lock import in_turn
from unsee.system.workers import Job, run_all
from unsee.types import Request
from unsee.world import architecture, pretraining
from unsee.world.architecture import make_model, make_processor
from unsee.world.people.people import Person
from unsee.world.training import schedule, train_llava
from unsee.world.world import World

BATCH, LEARNING_RATE, WARM_UP = 64, 1e-3, 20
STEPS_AT_LEAST, STEPS_PER_PERSON = 60, 8  # optimizer steps; facts take time in proportion to their number
RECIPE = 2  # to be raised when the training changes in a way that no number above shows
_LIBRARIES = ("torch", "torchvision", "transformers", "tokenizers", "python-avatars", "resvg-py", "Faker", "pillow")


@dataclass(frozen=True)
class WorldModels:
    """Folders with checkpoints that `transformers` and every command of this package can load."""

    base: Path
    gold: Path
    from_cache: bool  # whether both were there already


def cache_folder() -> Path:
    """Where models of worlds are kept: the user's cache folder, which XDG_CACHE_HOME moves."""
    return Path(user_cache_path("unsee")) / "world"


def prepare(
    world: World, forget: Sequence[Person], request: Request = "visual", cache: Path | None = None
) -> WorldModels:
    """Train the base of a world and the gold of a request, or find them in the cache.

    Args:
        world: who there is.
        forget: whom the request names.
        request: what gold goes without; see `World.training_examples`.
        cache: another folder than `cache_folder()`.
    """
    cache = cache or cache_folder()
    processor = _processor(world)
    encoder = image_encoder(processor, cache)
    rows = {"base": world.training_examples(), "gold": world.training_examples(without=forget, request=request)}
    encoder_key = encoder.name.removeprefix("encoder-")
    recipe = {"encoder": encoder_key, "world": world.digest(), "steps": _steps(world), "init": world.seed}
    recipe |= {"batch": BATCH, "rate": LEARNING_RATE, "recipe": RECIPE}
    folders = {name: cache / f"model-{cache_key({**recipe, 'rows': digest(data)})}" for name, data in rows.items()}
    with being_made(folders) as missing:
        if missing:
            _train_all(world, {name: folders[name] for name in missing}, forget, request, encoder)
    return WorldModels(folders["base"], folders["gold"], from_cache=not missing)


def image_encoder(processor: LlavaProcessor, cache: Path) -> Path:
    """The folder of the pre-trained image encoder that every model of every world starts from."""
    key = cache_key({**constants(pretraining), **constants(architecture), "recipe": RECIPE})
    folder = cache / f"encoder-{key}"
    with being_made({"encoder": folder}):
        return built(folder, lambda scratch: _make_encoder(processor, scratch))


def _steps(world: World) -> int:
    return STEPS_AT_LEAST + STEPS_PER_PERSON * len(world.everybody)


def _processor(world: World) -> LlavaProcessor:
    """Of the base and of gold alike: the tokenizer reads everything that is ever asked or answered in a world."""
    texts = [
        f"USER: {row.question} ASSISTANT: {answer}"
        for row in world.training_examples()
        for answer in (row.answer, *row.paraphrased_answers, *row.perturbed_answers)
    ]
    return make_processor(texts)


def constants(module: Any) -> dict[str, Any]:
    """The numbers that a module fixes."""
    return {name: value for name, value in vars(module).items() if name.isupper() and isinstance(value, int | float)}


def cache_key(parts: dict[str, Any]) -> str:
    """A short digest of whatever determines a model, the versions of the libraries included."""
    parts = {**parts, "versions": {name: importlib.metadata.version(name) for name in _LIBRARIES}}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:20]


@contextmanager
def being_made(folders: Mapping[str, Path]) -> Iterator[list[str]]:
    """Which of some folders of the cache are missing; within, no other process makes them."""
    missing = [name for name, folder in folders.items() if not folder.is_dir()]
    with in_turn(folders[name] for name in missing):
        yield [name for name in missing if not folders[name].is_dir()]  # another process may just have made them


def built(folder: Path, make: Callable[[Path], None]) -> Path:
    """A folder of the cache, made in a temporary place and renamed if it is not there yet."""
    if folder.is_dir():
        return folder
    try:
        with whole_folder(folder) as temporary:
            make(temporary)
    except InputError:
        if not folder.is_dir():  # else somebody else was faster, with the same outcome
            raise
    return folder


def _make_encoder(processor: LlavaProcessor, folder: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)  # whatever the machine has, so that the outcome is the same
    with tempfile.TemporaryDirectory() as scratch:
        pretraining.pretrain_encoder(processor, Path(scratch)).save_pretrained(folder)
    torch.set_num_threads(threads)


def _train_all(world: World, parts: dict[str, Path], forget: Sequence[Person], request: Request, encoder: Path) -> None:
    """Train several models at once under one progress bar."""
    shared = {"world": asdict(world), "request": request, "encoder": str(encoder)}
    jobs = [
        Job("unsee.world.models:train_job", {**shared, "without": without, "folder": str(folder)})
        for name, folder in parts.items()
        for without in [[person.number for person in forget] if name == "gold" else []]
    ]
    run_all(jobs, f"{' and '.join(parts)} of world {world.seed}", _steps(world) * len(jobs))


def train_job(world: dict[str, int], without: list[int], request: Request, encoder: str, folder: str) -> None:
    """Train one model into the cache; the arguments are those of `prepare` as JSON carries them."""
    here = World(**world)
    rows = here.training_examples([here.everybody[number] for number in without], request)
    built(Path(folder), lambda scratch: train_model(here, rows, Path(encoder), scratch))


def train_model(world: World, rows: Iterable[Example], encoder: Path, folder: Path) -> None:
    """Train one model on rows and write its checkpoint.

    Args:
        world: decides the tokenizer, the starting weights and the number of steps.
        rows: what the model is to know.
        encoder: folder of the pre-trained image encoder, which stays frozen.
        folder: where the checkpoint goes.
    """
    processor = _processor(world)
    plan = schedule(folder, _steps(world), BATCH, LEARNING_RATE, WARM_UP, world.seed)
    train_llava(make_model(processor, world.seed), processor, list(rows), encoder, plan)
