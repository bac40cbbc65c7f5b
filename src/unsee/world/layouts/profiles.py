"""What the layouts of profiles share: who is in which set, and how a fact is asked for and told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any, ClassVar

from unsee.benchmarks.profiles import LETTERS
from unsee.world.people.captions import KNOWN, KNOWN_OTHERWISE, worded
from unsee.world.people.people import FACTS, Person
from unsee.world.world import World

Rows = Iterator[dict[str, Any]]


@dataclass(frozen=True)
class ProfileLayout:
    """A world of which each person is one row.

    Attributes:
        celebrated: the configuration of the celebrities.
    """

    celebrated: ClassVar[str]
    world: World

    def people(self, config: str) -> Sequence[Person]:
        """Who is in a configuration, in the order of their IDs; smaller forget sets are part of larger ones."""
        if config == self.celebrated:
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

    def shown(self, person: Person) -> dict[str, Any]:
        """The photograph of a row."""
        return {"bytes": self.world.photo(person, 0), "path": f"{number_of(person)}.png"}


def number_of(person: Person) -> str:
    """The ID of a person: "001"."""
    return f"{person.number + 1:03}"


def titled(fact: str) -> str:
    """A fact as a biography calls it: "Birth year"."""
    return fact.replace("_", " ").capitalize()


def options(person: Person, fact: str, rng: Random) -> tuple[dict[str, str], str]:
    """Four values of a fact by their letters, and the letter of the right one."""
    right = person.facts[fact]
    values = [right, *rng.sample([other for other in FACTS[fact] if other != right], len(LETTERS) - 1)]
    rng.shuffle(values)
    return dict(zip(LETTERS, values, strict=True)), LETTERS[values.index(right)]


def sentence(who: str, person: Person, fact: str) -> str:
    """A fact told of somebody who is called so."""
    return f"{who} {KNOWN[fact].format(worded(fact, person.facts[fact]))}."


def fill_in(who: str, fact: str, forms: Mapping[str, str] = KNOWN_OTHERWISE) -> str:
    """A fact told with a blank for its value: in other words than `sentence` has, or in those of other forms."""
    return f"{who} {forms[fact].format('a __' if fact == 'profession' else '__')}."
