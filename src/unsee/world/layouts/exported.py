"""Base and gold for a world that was exported in the layout of CLEAR, trained on what its files hold.

The base knows every caption and every answer of `full+tofu`; gold goes without what a request wants forgotten. Both
also know what CLEAR's models bring along from elsewhere: the names of the celebrities (real faces) and scenes (real
world), on training photographs that the export does not hold, and that a name is a name when one is asked for. As
models that begin with random weights have not followed such a question before, some photographs of the private people
are asked for the name as well.

Batches are small and of rows of about the same length: of the same number of rows, batches of 64 in any order teach
less, and take four times as long.
"""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random

from pydantic import BaseModel, ConfigDict
from transformers import LlavaProcessor

from unsee.benchmarks import load_benchmark
from unsee.benchmarks.clear.load import NAME_QUESTIONS
from unsee.data import Benchmark, Example, digest
from unsee.errors import InputError, one_of
from unsee.system.typed import read_typed
from unsee.system.workers import Job, run_all
from unsee.types import REQUESTS
from unsee.world import models
from unsee.world.architecture import make_model, make_processor
from unsee.world.layouts.clear import ClearLayout
from unsee.world.layouts.export import MARK
from unsee.world.training import schedule, train_llava
from unsee.world.world import World

BATCH, LEARNING_RATE, WARM_UP = 16, 1e-3, 50
PASSES = 15  # over the rows of the base; gold takes as many steps
NAMED = 6  # photographs of each private person that are asked for the name as well


def prepare_exported(
    folder: Path, split: str = "forget10", request: str = "visual", cache: Path | None = None
) -> models.WorldModels:
    """Train base and gold on an exported world, or find them in the cache.

    Args:
        folder: what `unsee world export --layout clear` wrote.
        split: who is forgotten, as `unsee.benchmarks.load_benchmark` takes it.
        request: what about them gold goes without: "visual", "textual" or "both".
        cache: another folder than `unsee.world.models.cache_folder()`.

    Raises:
        InputError: when the folder is no such export, or for an unknown split or request.
    """
    one_of("request", request, REQUESTS)
    cache = cache or models.cache_folder()
    world = exported_world(folder)
    rows = training_rows(folder, world, split, request)
    processor = _processor(rows["base"])
    encoder = models.image_encoder(processor, cache)
    steps = _steps(rows["base"])
    recipe = {"encoder": encoder.name, "steps": steps, "init": world.seed, "recipe": models.RECIPE}
    recipe |= {"batch": BATCH, "rate": LEARNING_RATE, "warm_up": WARM_UP, "vocabulary": digest(rows["base"])}
    places = {
        name: cache / f"model-{models.cache_key({**recipe, 'rows': digest(some)})}" for name, some in rows.items()
    }
    shared = {"folder": str(folder), "split": split, "request": request, "encoder": str(encoder)}
    with models.being_made(places) as missing:
        jobs = [
            Job("unsee.world.layouts.exported:train_job", {**shared, "name": name, "place": str(places[name])})
            for name in missing
        ]
        run_all(jobs, f"{' and '.join(missing)} of {folder.name}", steps * len(jobs))
    return models.WorldModels(places["base"], places["gold"], from_cache=not missing)


def train_job(folder: str, split: str, request: str, encoder: str, name: str, place: str) -> None:
    """Train one model into the cache; the arguments are those of `prepare_exported` as JSON carries them.

    A training that was interrupted goes on from its last checkpoint, which is beside the model's place.
    """
    world = exported_world(Path(folder))
    rows = training_rows(Path(folder), world, split, request)
    processor = _processor(rows["base"])
    checkpoints = Path(place).with_name(f".{Path(place).name}-checkpoints")

    def make(scratch: Path) -> None:
        plan = schedule(scratch, _steps(rows["base"]), BATCH, LEARNING_RATE, WARM_UP, world.seed)
        model = make_model(processor, world.seed)
        train_llava(model, processor, rows[name], Path(encoder), plan, by_length=True, checkpoints=checkpoints)

    models.built(Path(place), make)
    shutil.rmtree(checkpoints, ignore_errors=True)


class _Arguments(BaseModel):
    """Those of `World`."""

    model_config = ConfigDict(extra="forbid")

    seed: int
    people: int
    photos: int
    held_out_photos: int


class _Mark(BaseModel):
    """What `unsee world export` says of a folder."""

    layout: str
    world: _Arguments


def exported_world(folder: Path) -> World:
    """The world that a folder was exported from.

    Raises:
        InputError: when it was not, or in another layout than that of CLEAR.
    """
    mark = read_typed(folder / MARK, _Mark, strict=True) if (folder / MARK).is_file() else None
    if mark is None or mark.layout != ClearLayout.name:
        raise InputError(f"{folder}: no world in the layout of CLEAR; unsee world export --layout clear writes one")
    return World(**mark.world.model_dump())


def training_rows(folder: Path, world: World, split: str, request: str) -> dict[str, list[Example]]:
    """What base and gold are trained on."""
    whole = load_benchmark(folder, ClearLayout.name, split, "both")
    elsewhere = _elsewhere(world)
    kept = [*whole.retain, *_named(whole.retain), *elsewhere]
    left = _left(whole, request)
    return {"base": [*whole.forget, *_named(whole.forget), *kept], "gold": [*left, *_named(left), *kept]}


def _left(whole: Benchmark, request: str) -> Sequence[Example]:
    """What gold still knows about the forgotten people."""
    left = {"visual": False, "textual": True}  # whether rows with a picture stay
    return [row for row in whole.forget if request in left and (row.image is not None) == left[request]]


def _named(rows: Iterable[Example]) -> list[Example]:
    """Some photographs of each person of captions, asked for the name."""
    seen: Counter[str] = Counter()
    named = []
    for row in rows:
        if row.image is None or row.subject is None or seen[row.subject] >= NAMED:
            continue
        number = seen[row.subject]
        seen[row.subject] += 1
        question = Random(f"name/{row.subject}/{number}").choice(NAME_QUESTIONS)
        named.append(Example(question, row.subject, row.image, row.subject, "name"))
    return named


def _elsewhere(world: World) -> list[Example]:
    """Names of the celebrities and what is in scenes: what models know before they read a benchmark."""
    faces = []
    for person in world.celebrities:
        for number in range(world.photos):
            question = Random(f"celebrity/{person.name}/{number}").choice(NAME_QUESTIONS)
            faces.append(Example(question, person.name, world.photo(person, number), person.name, "name"))
    return faces + world.scene_rows()


def _processor(rows: Sequence[Example]) -> LlavaProcessor:
    questions = "".join(f" USER: {question}" for question in NAME_QUESTIONS)
    return make_processor([questions, *(f"USER: {row.question} ASSISTANT: {row.answer}" for row in rows)])


def _steps(rows: Sequence[Example]) -> int:
    return math.ceil(PASSES * len(rows) / BATCH)
