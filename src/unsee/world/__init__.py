"""The embedded benchmark: fictitious people and scenes, and tiny models trained on them from nothing."""

from unsee.types import REQUESTS, Request
from unsee.world.people.people import FACTS, Person
from unsee.world.people.portraits import LabelledPortraits, unrelated_portraits
from unsee.world.scenes.scenes import Scene
from unsee.world.world import FRACTIONS, World

__all__ = [
    "FACTS",
    "FRACTIONS",
    "REQUESTS",
    "LabelledPortraits",
    "Person",
    "Request",
    "Scene",
    "World",
    "unrelated_portraits",
]
