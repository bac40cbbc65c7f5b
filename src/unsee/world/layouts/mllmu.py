"""The embedded world as the configurations of MLLMU-Bench: one profile a person, with three tasks in two modalities.

Training questions (`ft_Data`) have training wordings, the tasks have held-out ones, so that none is ever both. The
test set shows held-out photographs, Retain_Set the celebrities.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any, ClassVar

from unsee.benchmarks.profiles import LETTERS
from unsee.world.people.captions import KNOWN, KNOWN_OTHERWISE, clothes_of, head_of, worded
from unsee.world.people.people import FACTS, Person
from unsee.world.people.wordings import THIS_PERSON, held_out_questions, training_questions
from unsee.world.world import World

WORDINGS = 3  # of each fact in `ft_Data`; 15 questions per person, as in the original
PER_TASK = 2  # fill-ins, and questions to be answered in a sentence, a modality
KINDS = {"Image_Textual": "photo", "Pure_Text": "text"}

Rows = Iterator[dict[str, Any]]


@dataclass(frozen=True)
class MllmuLayout:
    """A world and the rows of its configurations."""

    name: ClassVar[str] = "mllmu"
    whole: ClassVar[str] = "Full_Set"
    world: World

    def config(self, name: str) -> tuple[int, Rows]:
        """How many rows a configuration has, and the rows."""
        people = self.people(name)
        if name == "ft_Data":
            return len(people), ({**self._shown(person), "metadata": self._metadata(person)} for person in people)
        if name == "Test_Set":
            return len(people), ({**self._tested(person), **self._profile(person)} for person in people)
        if name == "Full_Set":
            return len(people), (
                {**self._shown(person), "Directory": "people", **self._profile(person)} for person in people
            )
        return len(people), ({**self._shown(person), **self._profile(person)} for person in people)

    def people(self, config: str) -> Sequence[Person]:
        """Who is in a configuration, in the order of their IDs; smaller forget sets are part of larger ones."""
        if config == "Retain_Set":
            return self.world.celebrities
        kind, _, share = config.partition("_")
        if kind not in ("forget", "retain") or not share.isdigit():
            return self.world.private_people
        percent = int(share) if kind == "forget" else 100 - int(share)
        chosen = self._order[: max(1, round(percent * self.world.people / 100))]
        return [person for person in self.world.private_people if (person in chosen) == (kind == "forget")]

    @cached_property
    def _order(self) -> Sequence[Person]:
        return self.world.forget_people(0.20)

    def _shown(self, person: Person) -> dict[str, Any]:
        image = {"bytes": self.world.photo(person, 0), "path": f"{_number(person)}.png"}
        return {"image": image, "ID": _number(person)}

    def _tested(self, person: Person) -> dict[str, Any]:
        images = [
            {"bytes": self.world.held_out_photo(person, number), "path": f"{_number(person)}_{number}.png"}
            for number in range(self.world.held_out_photos)
        ]
        return {"images": images, "ID": _number(person)}

    def _profile(self, person: Person) -> dict[str, Any]:
        shot = self.world.shot(person, 0)
        return {
            "biography": json.dumps({"Name": person.name, **{_titled(fact): person.facts[fact] for fact in FACTS}}),
            "question": "What does this person look like, and what is worn?",
            "answer": f"This person has {head_of(person.look)}, and wears {clothes_of(shot)}.",
            "Classification_Task": {
                "Image_Textual_Questions": [self._choice(person, fact, "photo") for fact in FACTS],
                "Pure_Text_Questions": [self._choice(person, fact, "text") for fact in FACTS],
            },
            "Generation_Task": [self._sentence(person, *pair) for pair in self._drawn(person, "generation")],
            "Mask_Task": [self._blank(person, *pair) for pair in self._drawn(person, "cloze")],
        }

    def _drawn(self, person: Person, task: str) -> list[tuple[str, str]]:
        """Type and fact of the questions of a task."""
        rng = Random(f"{task}/{self.world.seed}/{person.name}")
        return [(kind, fact) for kind in KINDS for fact in rng.sample(tuple(FACTS), PER_TASK)]

    def _choice(self, person: Person, fact: str, kind: str) -> dict[str, Any]:
        rng = Random(f"choice/{self.world.seed}/{person.name}/{fact}/{kind}")
        right = person.facts[fact]
        values = [right, *rng.sample([other for other in FACTS[fact] if other != right], len(LETTERS) - 1)]
        rng.shuffle(values)
        options = dict(zip(LETTERS, values, strict=True))
        letter = LETTERS[values.index(right)]
        return {"Correct_Answer": letter, "Options": options, "Question": _question(person, fact, kind, 0)}

    def _sentence(self, person: Person, kind: str, fact: str) -> dict[str, Any]:
        known = KNOWN[fact].format(worded(fact, person.facts[fact]))
        who = person.name if kind == "Pure_Text" else "This person"
        return {"Ground_Truth": f"{who} {known}.", "Question": _question(person, fact, KINDS[kind], 1), "Type": kind}

    def _blank(self, person: Person, kind: str, fact: str) -> dict[str, Any]:
        who = person.name if kind == "Pure_Text" else "This person"
        form = KNOWN_OTHERWISE[fact].format("a __" if fact == "profession" else "__")
        return {"Ground_Truth": person.facts[fact], "Question": f"{who} {form}.", "Type": kind}

    def _metadata(self, person: Person) -> str:
        questions = [
            {"ID": _number(person), "Question": question, "Answer": person.facts[fact]}
            for fact in FACTS
            for question in training_questions(fact)[:WORDINGS]
        ]
        return json.dumps(questions)


def _number(person: Person) -> str:
    return f"{person.number + 1:03}"


def _titled(fact: str) -> str:
    return fact.replace("_", " ").capitalize()


def _question(person: Person, fact: str, kind: str, wording: int) -> str:
    return held_out_questions(fact, THIS_PERSON if kind == "photo" else person.name)[wording]
