"""The embedded world as the files of FIUBench: one photograph a person, and private facts that only the face leads to.

Each fact is asked in some training wordings, with the held-out ones for its other wordings, so that no question is
ever both. The wrong answers are worded like the paraphrase, as everywhere in the world, and the value is the keyword.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from random import Random
from typing import Any, ClassVar

from unsee.benchmarks.fiubench.columns import FORGET_LISTS, RETAIN_LISTS
from unsee.data.example import Example
from unsee.world.people.captions import KNOWN, head_of, worded
from unsee.world.people.people import FACTS, Person
from unsee.world.people.wordings import held_out_questions
from unsee.world.rows import photo_rows
from unsee.world.world import World

WORDINGS = 4  # of each of the five facts, so that a person has twenty questions, as in the original
FEWEST_RETAINED = 5  # people in a retain list, of however small a world

Rows = Iterator[dict[str, Any]]


@dataclass(frozen=True)
class FiubenchLayout:
    """A world and the rows of its files."""

    name: ClassVar[str] = "fiubench"
    whole: ClassVar[str] = "full"
    world: World

    def config(self, name: str) -> tuple[int, Rows]:
        """How many rows a file has, and the rows."""
        if name == "split":
            return 1, iter([{name: [_number(person) for person in people] for name, people in self.lists.items()}])
        return self.world.people, (self._person(person) for person in self.world.private_people)

    def pictures(self) -> Iterator[tuple[str, bytes]]:
        """The photographs by their place in the folder."""
        for person in self.world.private_people:
            yield str(PurePosixPath(_path(person)).relative_to("dataset")), self.world.photo(person, 0)

    @cached_property
    def lists(self) -> dict[str, list[Person]]:
        """Who is in which list: nobody in two forget lists, and the smaller retain list is part of the larger one."""
        order = Random(f"fiubench/{self.world.seed}").sample(self.world.private_people, self.world.people)
        listed: dict[str, list[Person]] = {}
        for name in FORGET_LISTS:
            count = self._share(name)
            listed[name], order = order[:count], order[count:]
        return listed | {name: order[: max(FEWEST_RETAINED, self._share(name))] for name in RETAIN_LISTS}

    def _share(self, name: str) -> int:
        percent = int(name.removeprefix("forget").removeprefix("retain"))
        return max(1, round(percent * self.world.people / 100))

    def _person(self, person: Person) -> dict[str, Any]:
        known = ", ".join(KNOWN[fact].format(worded(fact, person.facts[fact])) for fact in FACTS)
        return {
            "image_path": f"./{_path(person)}",
            "name": person.name,
            "caption": f"This person has {head_of(person.look)}, is called {person.name}, {known}.",
            "qa_list": [_asked(row) for row in self._questions(person)],
            "unique_id": _number(person),
        }

    def _questions(self, person: Person) -> Iterator[Example]:
        photo = self.world.photo(person, 0)
        for turn in range(WORDINGS):
            yield from photo_rows(person, [photo], "training", turn, self.world.seed)


def _asked(row: Example) -> dict[str, Any]:
    return {
        "question": row.question,
        "paraphrased_question": list(held_out_questions(str(row.fact))),
        "answer": row.answer,
        "paraphrased_answer": row.paraphrased_answers[0],
        "perturbed_answer": list(row.perturbed_answers[:3]),
        "keywords": [row.answer],
    }


def _number(person: Person) -> str:
    return f"{person.number + 1:08}"


def _path(person: Person) -> str:
    return f"dataset/SFHQ/SFHQ_pt1_{_number(person)}.png"
