"""The embedded world as the configurations of UMU-Bench: every fact of a person about the picture and by name.

Training questions have training wordings, the tasks have held-out ones, so that none is ever both. Cells hold mappings
as Python prints them, and the facts are their keys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from unsee.benchmarks.profiles import BLANK
from unsee.benchmarks.umu.columns import FULL, KINDS, REAL
from unsee.world.layouts.profiles import ProfileLayout, Rows, fill_in, number_of, options, sentence, titled
from unsee.world.people.captions import KNOWN
from unsee.world.people.people import FACTS, Person
from unsee.world.people.wordings import THIS_PERSON, held_out_questions, training_questions

WORDINGS = 3  # of each fact to be trained on, a modality
_MISSING, _SENTENCE = "Fill in what is missing here: ", "Answer in one sentence: "


@dataclass(frozen=True)
class UmuLayout(ProfileLayout):
    """A world and the rows of its configurations."""

    name: ClassVar[str] = "umu"
    whole: ClassVar[str] = FULL
    celebrated: ClassVar[str] = REAL

    def config(self, name: str) -> tuple[int, Rows]:
        """How many rows a configuration has, and the rows."""
        people = self.people(name)
        return len(people), map(self._profile, people)

    def _profile(self, person: Person) -> dict[str, Any]:
        said = {"Name": person.name, **{titled(fact): person.facts[fact] for fact in FACTS}}
        return {
            "ID": number_of(person),
            "image": self.shown(person),
            "Biography": repr(said),
            "MM_QA": repr(_trained(person, "vqa")),
            "UM_QA": repr(_trained(person, "qa")),
            "Classify": repr(_both(self._choice, person)),
            "Cloze": repr(_both(_blank, person)),
            "Generation": repr(_both(_sentence, person)),
        }

    def _choice(self, person: Person, fact: str, kind: str) -> dict[str, Any]:
        # The same options in the same order in both modalities: a fact is asked twice, and nothing else differs.
        given, letter = options(person, fact, Random(f"choice/{self.world.seed}/{person.name}/{fact}"))
        return {"question": _question(person, fact, kind, 0), "options": given, "answer": f"{letter}. {given[letter]}"}


def _both(item: Callable[[Person, str, str], dict[str, Any]], person: Person) -> dict[str, Any]:
    """A task about all facts, in both modalities."""
    return {KINDS[kind]: {fact: item(person, fact, kind) for fact in FACTS} for kind in KINDS}


def _blank(person: Person, fact: str, kind: str) -> dict[str, Any]:
    return {"question": fill_in(_who(person, kind), fact), "answer": person.facts[fact]}


def _sentence(person: Person, fact: str, kind: str) -> dict[str, Any]:
    return {
        "question": _SENTENCE + _question(person, fact, kind, 1),
        "answer": sentence(_who(person, kind), person, fact),
    }


def _who(person: Person, kind: str) -> str:
    return THIS_PERSON.capitalize() if kind == "vqa" else person.name


def _question(person: Person, fact: str, kind: str, wording: int) -> str:
    return held_out_questions(fact, THIS_PERSON if kind == "vqa" else person.name)[wording]


def _trained(person: Person, kind: str) -> dict[str, dict[str, str]]:
    """Questions to be trained on, and their answers: values, sentences and blanks.

    A model that starts from nothing has to have met each kind of question. All words of a question that is asked later
    occur here, only not together.
    """
    who = _who(person, kind)
    asked: dict[str, tuple[str, str]] = {}
    for fact, value in person.facts.items():
        plain = training_questions(fact, THIS_PERSON if kind == "vqa" else person.name)[:WORDINGS]
        asked |= {f"{fact}_{number}": (question, value) for number, question in enumerate(plain, start=1)}
        told = sentence(who, person, fact)
        asked |= {f"{fact}_told_{number}": (f"{_SENTENCE}{plain[number - 1]}", told) for number in (1, WORDINGS)}
        asked[f"{fact}_blank_1"] = (f"{BLANK}{fill_in(who, fact, KNOWN)}", value)
        asked[f"{fact}_blank_2"] = (f"{_MISSING}{fill_in(who, fact)}", value)
    return {
        "question": {key: question for key, (question, _) in asked.items()},
        "answer": {key: answer for key, (_, answer) in asked.items()},
    }
