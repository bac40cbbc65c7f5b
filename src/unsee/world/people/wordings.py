"""How the world asks and answers: a question is an opener and a body, an answer the bare value.

Every fact has nine wordings, three openers times three bodies. Three of the nine are held out. Each opener
and each body of a held-out wording occurs in a training wording, only not the two together: a model has
seen every word, and has to have understood the question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from unsee.world.people.people import FACTS

THIS_PERSON = "this person"  # who a question about a photograph asks for

OPENERS = ("Tell me:", "Please answer:", "A question:")
BODIES: dict[str, tuple[str, str, str]] = {
    "city": ("where does {} live?", "which city does {} call home?", "what is the home city of {}?"),
    "profession": ("what does {} do for work?", "which job does {} have?", "what is the profession of {}?"),
    "pastime": ("what does {} do for fun?", "which hobby does {} have?", "what is the pastime of {}?"),
    "birth_year": ("when was {} born?", "in which year was {} born?", "what is the birth year of {}?"),
    "award": ("what did {} win?", "which award did {} get?", "what is the award given to {}?"),
    "objects": ("which objects are there?", "what can be seen here?", "what is in the picture?"),
    "ground": ("which colour is the ground?", "what colour does the ground have?", "what is the colour of the ground?"),
    "count": ("how many objects are there?", "how many things can be seen here?", "what is the number of objects?"),
}  # fmt: skip
TRAINING_WORDINGS = len(OPENERS) * (len(OPENERS) - 1)  # of every question
HELD_OUT_WORDINGS = len(OPENERS)

# The value comes first: a model that was only taught bare values is asked for it where it expects it.
PARAPHRASES: dict[str, tuple[str, str]] = {
    "city": ("{} is home", "{} is the city"),
    "profession": ("{} for work", "{} is the job"),
    "pastime": ("{} for fun", "{} is the hobby"),
    "birth_year": ("{} is the year", "{} is the birth year"),
    "award": ("{} is the award", "the {}"),
    "objects": ("{} in the picture", "{} here"),
    "ground": ("{} is the colour", "{} ground"),
    "count": ("{} in all", "{} together"),
}
PERTURBED = 5  # wrong answers for each right one


@dataclass(frozen=True, slots=True)
class Answer:
    """What is right, what is right in other words, and what is wrong in those other words."""

    value: str
    paraphrased: tuple[str, ...]
    perturbed: tuple[str, ...]  # worded like the first paraphrase, so that likelihoods compare values alone


def training_questions(topic: str, who: str = THIS_PERSON) -> tuple[str, ...]:
    """The six wordings that models are trained on; `topic` is a fact of a person or of a scene."""
    return tuple(
        _question(opener, body, who)
        for row, opener in enumerate(OPENERS)
        for column, body in enumerate(BODIES[topic])
        if row != column
    )


def held_out_questions(topic: str, who: str = THIS_PERSON) -> tuple[str, ...]:
    """The three wordings that only probes use."""
    return tuple(_question(opener, body, who) for opener, body in zip(OPENERS, BODIES[topic], strict=True))


def word_answer(topic: str, value: str, wrong: Sequence[str]) -> Answer:
    """An answer with its paraphrases, and the wrong values worded like the first of them."""
    first = PARAPHRASES[topic][0]
    return Answer(
        value=value,
        paraphrased=tuple(form.format(value) for form in PARAPHRASES[topic]),
        perturbed=tuple(first.format(other) for other in wrong),
    )


def fact_answer(fact: str, value: str, seed: str) -> Answer:
    """The answer to a question about a person; the wrong values are drawn from the fact's own closed list."""
    others = [other for other in FACTS[fact] if other != value]
    return word_answer(fact, value, Random(f"perturbed/{seed}/{fact}").sample(others, PERTURBED))


def _question(opener: str, body: str, who: str) -> str:
    return f"{opener} {body.format(who)}"
