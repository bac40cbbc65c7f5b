"""The embedded world as the configurations of MLLMU-Bench: one profile a person, with three tasks in two modalities.

Training questions (`ft_Data`) have training wordings, the tasks have held-out ones, so that none is ever both. The
test set shows held-out photographs, Retain_Set the celebrities.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from unsee.world.layouts.profiles import ProfileLayout, Rows, fill_in, number_of, options, sentence, titled
from unsee.world.people.captions import clothes_of, head_of
from unsee.world.people.people import FACTS, Person
from unsee.world.people.wordings import THIS_PERSON, held_out_questions, training_questions

WORDINGS = 3  # of each fact in `ft_Data`; 15 questions per person, as in the original
PER_TASK = 2  # fill-ins, and questions to be answered in a sentence, a modality
KINDS = {"Image_Textual": "photo", "Pure_Text": "text"}


@dataclass(frozen=True)
class MllmuLayout(ProfileLayout):
    """A world and the rows of its configurations."""

    name: ClassVar[str] = "mllmu"
    whole: ClassVar[str] = "Full_Set"
    celebrated: ClassVar[str] = "Retain_Set"

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

    def _shown(self, person: Person) -> dict[str, Any]:
        return {"image": self.shown(person), "ID": number_of(person)}

    def _tested(self, person: Person) -> dict[str, Any]:
        images = [
            {"bytes": self.world.held_out_photo(person, number), "path": f"{number_of(person)}_{number}.png"}
            for number in range(self.world.held_out_photos)
        ]
        return {"images": images, "ID": number_of(person)}

    def _profile(self, person: Person) -> dict[str, Any]:
        shot = self.world.shot(person, 0)
        return {
            "biography": json.dumps({"Name": person.name, **{titled(fact): person.facts[fact] for fact in FACTS}}),
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
        given, letter = options(person, fact, Random(f"choice/{self.world.seed}/{person.name}/{fact}/{kind}"))
        return {"Correct_Answer": letter, "Options": given, "Question": _question(person, fact, kind, 0)}

    def _sentence(self, person: Person, kind: str, fact: str) -> dict[str, Any]:
        said = sentence(_who(person, kind), person, fact)
        return {"Ground_Truth": said, "Question": _question(person, fact, KINDS[kind], 1), "Type": kind}

    def _blank(self, person: Person, kind: str, fact: str) -> dict[str, Any]:
        return {"Ground_Truth": person.facts[fact], "Question": fill_in(_who(person, kind), fact), "Type": kind}

    def _metadata(self, person: Person) -> str:
        questions = [
            {"ID": number_of(person), "Question": question, "Answer": person.facts[fact]}
            for fact in FACTS
            for question in training_questions(fact)[:WORDINGS]
        ]
        return json.dumps(questions)


def _who(person: Person, kind: str) -> str:
    return person.name if kind == "Pure_Text" else "This person"


def _question(person: Person, fact: str, kind: str, wording: int) -> str:
    return held_out_questions(fact, THIS_PERSON if kind == "photo" else person.name)[wording]
