"""Fictitious people: a name from Faker, a face, and five facts from closed lists.

The lists are short and their values dealt out evenly, so that the accuracy of guessing is known exactly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from faker import Faker

from unsee.errors import InputError
from unsee.world.people.looks import Look, distinct_looks

FACTS: dict[str, tuple[str, ...]] = {
    "city": (
        "Basel", "Bergen", "Cairo", "Dakar", "Delhi", "Ghent", "Hanoi", "Kyoto", "Lagos", "Leeds", "Lima", "Malmo",
        "Minsk", "Oslo", "Perth", "Porto", "Quito", "Riga", "Seoul", "Tampa", "Tunis", "Turin", "Vilnius", "Zagreb",
    ),
    "profession": (
        "baker", "barber", "carpenter", "chemist", "dentist", "diver", "editor", "farmer", "gardener", "jeweller",
        "judge", "lawyer", "librarian", "mason", "nurse", "painter", "pilot", "plumber", "printer", "sailor",
        "surgeon", "tailor", "teacher", "welder",
    ),
    "pastime": (
        "archery", "billiards", "boxing", "chess", "climbing", "cycling", "dancing", "fencing", "fishing", "golf",
        "hiking", "juggling", "karate", "knitting", "origami", "pottery", "rowing", "sailing", "singing", "skating",
        "surfing", "swimming", "tennis", "yoga",
    ),
    "birth_year": tuple(str(year) for year in range(1950, 1998, 2)),
    "award": tuple(
        f"{name} Prize"
        for name in (
            "Amber", "Birch", "Comet", "Delta", "Ember", "Falcon", "Granite", "Harbour", "Iris", "Juniper", "Kestrel",
            "Lantern", "Marble", "Nova", "Opal", "Pearl", "Quartz", "River", "Saffron", "Tulip", "Umber", "Velvet",
            "Willow", "Zephyr",
        )
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who does not exist."""

    number: int  # position in the world, celebrities after everybody else
    name: str
    facts: Mapping[str, str] = field(hash=False)
    look: Look
    celebrity: bool = False  # known to the base model, and left alone by every method


def make_people(private: int, celebrities: int, seed: int) -> tuple[Person, ...]:
    """Private people, then celebrities, no two with the same name or nearly the same face.

    Raises:
        InputError: more people than there are distinct faces or names.
    """
    count = private + celebrities
    looks = distinct_looks(count, seed)
    names = _names(count, seed)
    # Two decks: the values of the private people alone decide what chance is.
    facts = _deal(private, f"{seed}/private") + _deal(celebrities, f"{seed}/celebrities")
    return tuple(
        Person(number, name, dealt, look, celebrity=number >= private)
        for number, (name, dealt, look) in enumerate(zip(names, facts, looks, strict=True))
    )


def guessing_accuracy(people: Sequence[Person]) -> dict[str, float]:
    """For each fact, how often the best constant guess is right about a person drawn from `people`.

    The guesser knows how often every value occurs among them, as a model may that has seen all the others,
    but nothing about the person asked for. Never below 1 / 24, and exactly that if all values are equally
    frequent.
    """
    return {fact: max(Counter(person.facts[fact] for person in people).values()) / len(people) for fact in FACTS}


def _deal(count: int, seed: str) -> list[dict[str, str]]:
    """Facts of `count` people; each value is used as often as every other, give or take one.

    Every round through a list is shuffled anew and for each fact by itself, so that facts do not follow
    from one another.
    """
    columns = {}
    for fact, values in FACTS.items():
        rng = Random(f"facts/{seed}/{fact}")
        column: list[str] = []
        while len(column) < count:
            column += rng.sample(values, len(values))
        columns[fact] = column
    return [{fact: column[person] for fact, column in columns.items()} for person in range(count)]


def _names(count: int, seed: int) -> list[str]:
    """Unique names that share no word with any fact ("Amber", "Mason"), so that no name gives an answer away."""
    faker = Faker("en_US", use_weighting=False)
    faker.seed_instance(f"names/{seed}")
    taken = {word.casefold() for values in FACTS.values() for value in values for word in value.split()}
    names: dict[str, None] = {}
    for _ in range(100 * count):
        if len(names) == count:
            return list(names)
        first, last = faker.first_name(), faker.last_name()
        if first.casefold() not in taken and last.casefold() not in taken:
            names.setdefault(f"{first} {last}")
    raise InputError(f"found only {len(names)} different names, {count} people were asked for")
