"""The embedded benchmark: who lives in the world, what is known about them, and what is to be forgotten.

Roles. *Private people* may be asked to be forgotten; those who are not are retained. *Celebrities* are known
to the base model as well, but no method trains on them: they show what unlearning does to people nobody
mentioned. Scenes stand for everything that is not about people.

Every photograph, scene and wording is either for training or for probes, never for both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from random import Random
from typing import Literal

from ..data.example import Benchmark, Example, Probe
from ..errors import InputError
from .looks import Shot, distinct_shots
from .people import FACTS, Person, guessing_accuracy, make_people
from .portraits import portrait
from .scenes import TOPICS, Scene, distinct_scenes, draw_scene
from .wordings import Answer, fact_answer, held_out_questions, training_questions

Request = Literal["visual", "textual", "both"]
REQUESTS = ("visual", "textual", "both")  # erase the face, the text facts, or both
FRACTIONS = (0.01, 0.05, 0.10, 0.20)  # of the private people
FEWEST_PEOPLE = 10
TRAINING_SCENES = 600
HELD_OUT_SCENES = 60
RETAIN_PHOTOS = 2  # held-out photographs of each retained person that are probed; there are many such people


@dataclass(frozen=True)
class World:
    """Fictitious people and scenes; the same arguments give the same bytes on any machine.

    Images are rendered when they are first asked for, and once.

    Raises:
        InputError: an argument out of range, or more people than there are faces or names.
    """

    seed: int = 0
    people: int = 30  # private people; the celebrities come on top
    photos: int = 10  # training photographs of each person
    held_out_photos: int = 4  # further photographs of each person, for probes alone

    def __post_init__(self) -> None:
        for name, least in (("seed", 0), ("people", FEWEST_PEOPLE), ("photos", 1), ("held_out_photos", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InputError(f"world: {name} must be a whole number of at least {least}, not {value!r}")
        _ = self.everybody  # too many people should be known now, not at the first photograph

    # --- who there is

    @cached_property
    def everybody(self) -> tuple[Person, ...]:
        """Private people, then celebrities."""
        return make_people(self.people, max(4, self.people // 5), self.seed)

    @property
    def private_people(self) -> tuple[Person, ...]:
        """Those who may be asked to be forgotten."""
        return self.everybody[: self.people]

    @property
    def celebrities(self) -> tuple[Person, ...]:
        """Those whom the base model knows and no method ever trains on."""
        return self.everybody[self.people :]

    @cached_property
    def chance(self) -> dict[str, float]:
        """For each fact, the accuracy of the best guess about a private person whom one does not recognise."""
        return guessing_accuracy(self.private_people)

    def forget_people(self, fraction: float = 0.10) -> tuple[Person, ...]:
        """The people to be forgotten: at least one; a smaller fraction is part of every larger one."""
        if fraction not in FRACTIONS:
            allowed = ", ".join(f"{allowed:g}" for allowed in FRACTIONS)
            raise InputError(f"world: forget must be one of {allowed}, not {fraction!r}")
        order = Random(f"forget/{self.seed}").sample(self.private_people, self.people)
        return tuple(order[: max(1, int(fraction * self.people + 0.5))])

    # --- pictures

    def photo(self, person: Person, number: int) -> bytes:
        """A training photograph as PNG bytes; `number` counts from 0 to `photos` - 1."""
        return self._photo(person, self.held_out_photos + number)

    def held_out_photo(self, person: Person, number: int) -> bytes:
        """A photograph that no model is trained on; `number` counts from 0 to `held_out_photos` - 1."""
        return self._photo(person, number)

    def _photo(self, person: Person, number: int) -> bytes:
        key = (person.number, number)
        if key not in self._pictures:
            self._pictures[key] = portrait(person.look, self._shots[person.number][number])
        return self._pictures[key]

    @cached_property
    def _pictures(self) -> dict[tuple[int, int], bytes]:
        return {}

    @cached_property
    def _shots(self) -> list[tuple[Shot, ...]]:
        count = self.held_out_photos + self.photos
        return [distinct_shots(count, f"{self.seed}/{person.name}") for person in self.everybody]

    @cached_property
    def _scenes(self) -> list[tuple[Scene, bytes]]:
        return [(scene, draw_scene(scene)) for scene in distinct_scenes(HELD_OUT_SCENES + TRAINING_SCENES, str(self.seed))]

    @property
    def training_scenes(self) -> list[tuple[Scene, bytes]]:
        """Scenes with their PNG bytes."""
        return self._scenes[HELD_OUT_SCENES:]

    @property
    def held_out_scenes(self) -> list[tuple[Scene, bytes]]:
        """Scenes that no model is trained on, with their PNG bytes."""
        return self._scenes[:HELD_OUT_SCENES]
