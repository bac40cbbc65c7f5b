"""Captions of portraits: who it is, what is to be seen, and one thing that is known about the person.

What is seen holds for the photograph, what is known for the person. A wrong caption keeps what is seen and changes
the name and the fact, so that only knowledge tells it from the right one.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from unsee.world.people.looks import Look, Shot
from unsee.world.people.people import FACTS, Person
from unsee.world.people.wordings import PERTURBED

FACIAL_HAIR = {
    "NONE": "",
    "BEARD_LIGHT": "a short beard",
    "BEARD_MAGESTIC": "a full beard",
    "MOUSTACHE_FANCY": "a moustache",
}
ACCESSORY = {
    "NONE": "",
    "EYEPATCH": "an eyepatch",
    "KURT": "oval sunglasses",
    "PRESCRIPTION_1": "glasses",
    "ROUND": "round glasses",
    "WAYFARERS": "dark glasses",
}
CLOTHES = {
    "BLAZER_SHIRT": "blazer",
    "COLLAR_SWEATER": "sweater with a collar",
    "HOODIE": "hoodie",
    "OVERALL": "overall",
    "SHIRT_CREW_NECK": "shirt",
    "SHIRT_SCOOP_NECK": "shirt with a wide neck",
    "SHIRT_V_NECK": "shirt with a V-neck",
}
KNOWN = {
    "city": "lives in {}",
    "profession": "works as {}",
    "pastime": "is fond of {}",
    "birth_year": "was born in {}",
    "award": "won the {}",
}
KNOWN_OTHERWISE = {
    "city": "has a home in {}",
    "profession": "earns a living as {}",
    "pastime": "spends free hours on {}",
    "birth_year": "came into the world in {}",
    "award": "was given the {}",
}


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption, the same said otherwise, and wrong ones worded like that."""

    text: str
    paraphrased: str
    perturbed: tuple[str, ...]
    wrong_names: tuple[str, ...]


def caption(person: Person, shot: Shot, number: int, names: tuple[str, ...], seed: int) -> Caption:
    """The caption of one photograph; which fact it tells turns with the number of the photograph.

    Args:
        person: who it is.
        shot: what is particular about the photograph.
        number: of the photograph.
        names: of everybody, from which wrong names are drawn.
        seed: of the world.
    """
    fact = tuple(FACTS)[(person.number + number) % len(FACTS)]
    rng = Random(f"caption/{seed}/{person.name}/{number}")
    wrong_names = tuple(rng.sample([name for name in names if name != person.name], PERTURBED))
    value = person.facts[fact]
    wrong = rng.sample([other for other in FACTS[fact] if other != value], PERTURBED)
    head, clothes, ground = head_of(person.look), clothes_of(shot), shot.background

    def otherwise(name: str, known: str) -> str:
        told = KNOWN_OTHERWISE[fact].format(worded(fact, known))
        return f"In front of a {ground} wall stands {name} with {head}, in {clothes}. This person {told}."

    told = KNOWN[fact].format(worded(fact, value))
    return Caption(
        text=f"{person.name}, with {head}, wears {clothes} in front of a {ground} wall and {told}.",
        paraphrased=otherwise(person.name, value),
        perturbed=tuple(otherwise(name, other) for name, other in zip(wrong_names, wrong, strict=True)),
        wrong_names=wrong_names,
    )


def head_of(look: Look) -> str:
    """Hair, beard and glasses of a face: "red hair, a short beard and round glasses"."""
    hair = f"{look.hair_colour} hair"
    parts = [part for part in (hair, FACIAL_HAIR[look.facial_hair], ACCESSORY[look.accessory]) if part]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def clothes_of(shot: Shot) -> str:
    """What is worn: "an orange hoodie"."""
    return f"{with_article(shot.clothes_colour)} {CLOTHES[shot.clothes]}"


def with_article(word: str) -> str:
    """ "a baker", "an editor"."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def worded(fact: str, value: str) -> str:
    """The value of a fact as `KNOWN` takes it."""
    return with_article(value) if fact == "profession" else value
