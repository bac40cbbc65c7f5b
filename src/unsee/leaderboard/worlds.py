"""Worlds as the ground of a bench: each seed has people of its own, with a base and a gold trained from nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from unsee.data import Probe
from unsee.data.example import Role
from unsee.evaluation.criteria import role_of
from unsee.evaluation.records import Record
from unsee.leaderboard.grids import WORLD, Centre
from unsee.leaderboard.ground import Models, Stage
from unsee.leaderboard.place import Base, Place, Rows
from unsee.leaderboard.work import work_off
from unsee.system.executors import Executor
from unsee.types import Request
from unsee.world.models import WorldModels, prepare
from unsee.world.world import World

FORGET: Final = 0.10  # of the private people
EVAL_BATCH, ANSWERS_AT_MOST = 128, 16  # rows, tokens; the longest answer of the world has fewer
SALIENCY_BATCH = 16


@dataclass(frozen=True)
class WorldSetting:
    """The world of a cell; its seed is that of the training as well."""

    seed: int
    people: int
    request: Request

    @property
    def name(self) -> str:
        """See `unsee.leaderboard.ground.Setting`; so are the others."""
        return f"seed-{self.seed}"

    @property
    def runs(self) -> str:
        """What works off a cell."""
        return f"{__name__}:run_cell"

    def untrained(self) -> WorldSetting:
        """The same: each seed has models of its own."""
        return self

    def to_dict(self) -> dict[str, Any]:
        """What determines a cell."""
        return {"world": asdict(self)}

    def needed(self) -> dict[str, Any]:
        """Nothing."""
        return {}


@dataclass(frozen=True)
class Worlds:
    """As many worlds as there are seeds.

    Attributes:
        people: private people in each.
        request: what of those to be forgotten is to go.
    """

    people: int = 40
    request: Request = "visual"
    crossed: bool = field(default=False, init=False)
    names: bool = field(default=True, init=False)
    centre: Centre = field(default=WORLD, init=False)
    _models: dict[int | None, WorldModels] = field(default_factory=dict, init=False, compare=False)

    def check(self, seeds: Sequence[int]) -> None:
        """InputError for a number of people that no world has."""
        World(seeds[0], people=self.people)

    def identity(self) -> dict[str, Any]:
        """Number of people and request."""
        return {"people": self.people, "request": self.request}

    def to_dict(self) -> dict[str, Any]:
        """The same."""
        return self.identity()

    def setting(self, seed: int, stage: Stage) -> WorldSetting:
        """The world of a seed; a seed is for development or for reporting, and never for both."""
        return WorldSetting(seed, self.people, self.request)

    def prepare(self, out: Path, seeds: Sequence[int], executor: Executor) -> None:
        """Train base and gold of each world here, or find them in the cache, which each machine has for itself."""
        for seed in seeds:
            world = World(seed, people=self.people)
            self._models[seed] = prepare(world, world.forget_people(FORGET), self.request)

    def models(self, seed: int | None) -> Models:
        """Checkpoints in the cache."""
        return Models(str(self._models[seed].base), str(self._models[seed].gold))

    def role(self, probe: str) -> Role | None:
        """By the names that probes of the world have."""
        return role_of(probe, self.request)

    def trial(self) -> None:
        """None: models of worlds are trained when a bench begins."""
        return

    def told(self, development: Sequence[int], seeds: Sequence[int]) -> tuple[str, str, str]:
        """See `unsee.leaderboard.ground.Ground`."""
        return (
            f"A {self.request} request: {round(FORGET * self.people)} of {self.people} people are to be forgotten.",
            f"on the worlds of seeds {', '.join(map(str, development))}",
            f"on the worlds of seeds {', '.join(map(str, seeds))}, where other people live",
        )

    def published(self, records: Mapping[str, Sequence[Record]], gold: Mapping[str, Sequence[Record]]) -> tuple[()]:
        """Nothing: no paper has numbers of the world."""
        return ()

    def asked(self) -> str:
        """Nothing that was trained on."""
        return "on held-out photographs and wordings"

    def limits(self) -> list[str]:
        """The seed of a world is that of its trainings."""
        return ["One training a world: the seed of the training is that of the world."]

    def command(self) -> list[str]:
        """Options."""
        return ["--people", str(self.people), "--request", self.request]


def run_cell(world: dict[str, Any], base: str, gold: str, **cell: Any) -> None:
    """Do a cell of a world; the arguments are those of `unsee.leaderboard.cells.job` as JSON carries them.

    Raises:
        InputError: the file of a method from outside is not what it was when the bench was planned.
    """
    setting = WorldSetting(**world)
    work_off(lambda: _place(setting, base, gold), setting, **cell)


@lru_cache(maxsize=1)
def _place(setting: WorldSetting, base: str, gold: str) -> Place:
    """The world of the last cell; cells come world by world."""
    world = World(setting.seed, people=setting.people)
    sets = world.benchmark(FORGET, setting.request)
    names = [person.name for person in world.forget_people(FORGET)]
    common = {
        "model": base,
        "forget": "the world",
        "eval_batch_size": EVAL_BATCH,
        "saliency_batch_size": SALIENCY_BATCH,
        "max_new_tokens": ANSWERS_AT_MOST,
        "parts": WORLD.parts,
    }
    rows = Rows(sets, [_plain(probe) for probe in sets.probes], names)
    return Place(rows, Base(), gold, common, setting.seed, asdict(setting))


def _plain(probe: Probe) -> Probe:
    """Without wrong answers and options, whose likelihoods nothing here looks at."""
    return replace(probe, examples=[replace(row, perturbed_answers=(), choices=()) for row in probe.examples])
