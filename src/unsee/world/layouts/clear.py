"""The embedded world as the configurations of CLEAR: captions, names, questions in words, real faces, real world.

Private people stand for CLEAR's authors, celebrities on held-out photographs for real faces, held-out scenes for the
real world. Everything follows from the world's seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any, ClassVar

from unsee.benchmarks.clear.load import QUESTIONS_PER_PERSON
from unsee.data.example import Example
from unsee.world.people.captions import Caption, caption
from unsee.world.people.people import Person
from unsee.world.people.wordings import PARAPHRASES
from unsee.world.rows import scene_rows, text_rows
from unsee.world.world import World

FEWER_PHOTOS = 3  # than the world has of a person, at most: 17 to 20, about 3,700 of 200 people, as in CLEAR
RETAIN_PHOTOS = 2  # of each retained person in `retain_perturbed`
OPTIONS = 3  # wrong ones, of real faces and real world
WORDINGS = QUESTIONS_PER_PERSON // 5  # of each of the five facts

Rows = Iterator[dict[str, Any]]


@dataclass(frozen=True)
class ClearLayout:
    """A world and the rows of its configurations."""

    name: ClassVar[str] = "clear"
    whole: ClassVar[str] = "full"
    world: World

    @cached_property
    def people(self) -> list[Person]:
        """Private people in CLEAR's order: whoever is forgotten stands at the end, the smallest set last."""
        forgotten = self.world.forget_people(0.10)
        return [person for person in self.world.private_people if person not in forgotten] + list(reversed(forgotten))

    def photos(self, person: Person) -> int:
        """How many photographs of a person there are."""
        most = self.world.photos
        return Random(f"photos/{self.world.seed}/{person.name}").randint(max(1, most - FEWER_PHOTOS), most)

    def config(self, name: str) -> tuple[int, Rows]:
        """How many rows a configuration has, and the rows."""
        if name == "real_faces":
            return len(self.world.celebrities) * self.world.held_out_photos, self._real_faces()
        if name == "real_world":
            asked = list(scene_rows(self.world.held_out_scenes, "held-out", 0, self.world.seed))
            return len(asked), (_scene(row) for row in asked)
        if name == "retain_perturbed":
            people = self.people[: -self._forgotten("10")]
            count = sum(min(RETAIN_PHOTOS, self.photos(person)) for person in people)
            return count, self._captions(people, self._perturbed, RETAIN_PHOTOS)
        base, _, kind = name.partition("_")
        base, _, union = base.partition("+")
        people = self._people(base)
        count = sum(self.photos(person) for person in people)
        if kind == "perturbed":
            return count, self._captions(people, self._perturbed)
        if not union:
            return count, self._captions(people, self._plain)
        return count + QUESTIONS_PER_PERSON * len(people), self._union(people)

    def _people(self, config: str) -> list[Person]:
        if config in ("default", "full"):
            return self.people
        if config.startswith("forget"):
            return self.people[-self._forgotten(config.removeprefix("forget")) :]
        return self.people[: -self._forgotten(f"{100 - int(config.removeprefix('retain')):02}")]

    def _forgotten(self, share: str) -> int:
        return len(self.world.forget_people(int(share) / 100))

    def _captions(self, people: list[Person], row: Callable[[Person, int], dict[str, Any]], most: int = 99) -> Rows:
        for person in people:
            for number in range(min(most, self.photos(person))):
                image = {"bytes": self.world.photo(person, number), "path": f"{person.number:03}_{number:02}.png"}
                yield {"image": image, **row(person, number)}

    def _caption(self, person: Person, number: int) -> Caption:
        return caption(person, self.world.shot(person, number), number, self._names, self.world.seed)

    def _plain(self, person: Person, number: int) -> dict[str, Any]:
        return {"caption": self._caption(person, number).text, "name": person.name}

    def _perturbed(self, person: Person, number: int) -> dict[str, Any]:
        told = self._caption(person, number)
        return {
            "caption": told.text,
            "name": person.name,
            "paraphrased_caption": told.paraphrased,
            "perturbed_captions": list(told.perturbed),
            "perturbed_names": list(told.wrong_names),
        }

    def _union(self, people: list[Person]) -> Rows:
        for row in self._captions(people, self._plain):
            yield {"image": row["image"], "caption": row["caption"], "question": None, "answer": None}
        for person in people:
            for asked in text_rows(person, "training", WORDINGS, self.world.seed):
                yield {"image": None, "caption": None, "question": asked.question, "answer": asked.answer}

    def _real_faces(self) -> Rows:
        names = tuple(celebrity.name for celebrity in self.world.celebrities)
        for person in self.world.celebrities:
            for number in range(self.world.held_out_photos):
                rng = Random(f"real faces/{self.world.seed}/{person.name}/{number}")
                others = rng.sample([name for name in names if name != person.name], OPTIONS)
                photo = self.world.held_out_photo(person, number)
                image = {"bytes": photo, "path": f"real_{person.number}_{number}.png"}
                yield {"image": image, "answer": person.name, "options": others}

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(person.name for person in self.world.private_people)


def _scene(row: Example) -> dict[str, Any]:
    # Wrong answers of the world are worded like a paraphrase; a multiple choice offers the bare values.
    around = PARAPHRASES[str(row.fact)][0].removeprefix("{}")
    return {
        "question": row.question,
        "image": {"bytes": row.image, "path": f"{str(row.id).replace('/', '_')}.png"},
        "answer": row.answer,
        "options": [wrong.removesuffix(around) for wrong in row.perturbed_answers[:OPTIONS]],
    }
