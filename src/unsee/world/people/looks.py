"""What a face is made of: the attributes that make an identity, and those that change from photo to photo.

An identity is skin, hair, hair colour, facial hair, accessory and nose. The first five are plain to see
at 64 pixels, the nose hardly. People get their looks from a code: the indices of the five visible
attributes add up to a multiple of the number of hair styles, so that no single attribute can differ alone
and any two people differ visibly in at least two. Faces whose sum is anything else are nobody's:
`unrelated_look` draws from those, whatever the seed of the world.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from random import Random

import numpy as np

from unsee.errors import InputError

SKINS = {
    "pale": "#FFDBB4",
    "light": "#EDB98A",
    "brown": "#D08B5B",
    "dark brown": "#AE5D29",
    "black": "#614335",
    "yellow": "#F8D25C",
    "tanned": "#FD9841",
}
HAIR_COLOURS = {
    "black": "#2C1B18",
    "brown": "#724133",
    "red": "#C93305",
    "golden": "#D6B370",
    "silver": "#E8E1E1",
    "pink": "#F59797",
    "blue": "#3A6FC4",
    "green": "#3F8F5F",
}
# Names of python-avatars parts. All of these hair styles carry beards and glasses at the same place.
HAIRS = (
    "BIG_HAIR", "BOB", "BRAIDS", "BUN", "CURLY", "DREADLOCKS", "DREADS", "EINSTEIN_HAIR", "EVIL_SPIKE", "FRIDA",
    "FRO_BAND", "HALF_SHAVED", "LONG_NOT_TOO_LONG", "MOHAWK", "MOWGLI", "QUIFF", "SHAGGY_MULLET", "SHORT_DREADS_2",
    "SHORT_FLAT", "STRAIGHT_1",
)  # fmt: skip
FACIAL_HAIRS = ("NONE", "BEARD_LIGHT", "BEARD_MAGESTIC", "MOUSTACHE_FANCY")
ACCESSORIES = ("NONE", "EYEPATCH", "KURT", "PRESCRIPTION_1", "ROUND", "WAYFARERS")
NOSES = ("DEFAULT", "SMALL", "WIDE")

CLOTHES = (
    "BLAZER_SHIRT", "COLLAR_SWEATER", "HOODIE", "OVERALL", "SHIRT_CREW_NECK", "SHIRT_SCOOP_NECK", "SHIRT_V_NECK",
)  # fmt: skip
CLOTHES_COLOURS = {
    "black": "#262E33",
    "blue": "#5199E4",
    "navy": "#25557C",
    "grey": "#929598",
    "green": "#A7FFC4",
    "orange": "#FFDEB5",
    "yellow": "#FFFFB1",
    "pink": "#FF488E",
    "red": "#FF5C5C",
    "white": "#FFFFFF",
}
MOUTHS = ("BIG_SMILE", "CONCERNED", "DEFAULT", "DISBELIEF", "SAD", "SERIOUS", "SMILE", "TWINKLE")
EYES = ("CLOSED", "DEFAULT", "HAPPY", "SIDE", "SQUINT", "SURPRISED", "WINK")
EYEBROWS = ("ANGRY", "DEFAULT", "FLAT_NATURAL", "RAISED_EXCITED", "SAD_CONCERNED", "UP_DOWN")
BACKGROUNDS = {
    "sky": "#9FC3E6",
    "mint": "#B5E2C8",
    "rose": "#F0C4CC",
    "sand": "#E9DDBE",
    "lilac": "#CDBFE8",
    "grey": "#C9CDD2",
    "teal": "#5E9EA0",
    "slate": "#6B7A94",
}


@dataclass(frozen=True, slots=True)
class Look:
    """The lasting attributes of one face."""

    skin: str
    hair: str
    hair_colour: str
    facial_hair: str
    accessory: str
    nose: str


@dataclass(frozen=True, slots=True)
class Shot:
    """What differs between two photographs of one face."""

    clothes: str
    clothes_colour: str
    mouth: str
    eyes: str
    eyebrows: str
    background: str
    scale: float = 1.0  # side of the picture's frame, relative to the standard frame
    right: float = 0.0  # shift of the frame, in fractions of its side
    down: float = 0.0

    @property
    def appearance(self) -> tuple[str, ...]:
        """Everything but the framing: two photographs of one person never share it."""
        return (self.clothes, self.clothes_colour, self.mouth, self.eyes, self.eyebrows, self.background)


# Order and spelling of the labels that pre-training on unrelated portraits learns.
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "skin": tuple(SKINS),
    "hair": HAIRS,
    "hair_colour": tuple(HAIR_COLOURS),
    "facial_hair": FACIAL_HAIRS,
    "accessory": ACCESSORIES,
    "nose": NOSES,
    "clothes": CLOTHES,
    "clothes_colour": tuple(CLOTHES_COLOURS),
    "mouth": MOUTHS,
    "eyes": EYES,
    "eyebrows": EYEBROWS,
    "background": tuple(BACKGROUNDS),
}
VISIBLE = ("skin", "hair_colour", "facial_hair", "accessory", "hair")  # in the order of a code word
MOST_LOOKS = len(SKINS) * len(HAIR_COLOURS) * len(FACIAL_HAIRS) * len(ACCESSORIES)


def distinct_looks(count: int, seed: int) -> tuple[Look, ...]:
    """Looks of `count` people, each as different from all before it as can be, and in at least two attributes.

    Raises:
        InputError: more people than there are distinct looks.
    """
    if count > MOST_LOOKS:
        raise InputError(
            f"a world has {MOST_LOOKS} clearly different faces, {count} people were asked for (celebrities included)"
        )
    rng = Random(f"looks/{seed}")
    words = list(product(*(range(len(ATTRIBUTES[name])) for name in VISIBLE[:-1])))
    rng.shuffle(words)
    codes = np.array([(*word, -sum(word) % len(HAIRS)) for word in words], dtype=np.int64)
    nearest = np.full(len(codes), codes.shape[1] + 1)  # differing attributes to the nearest chosen look
    looks = []
    for _ in range(count):
        chosen = codes[int(nearest.argmax())]
        nearest = np.minimum(nearest, (codes != chosen).sum(axis=1))
        looks.append(_look([int(index) for index in chosen], rng))
    return tuple(looks)


def unrelated_look(rng: Random) -> Look:
    """A look that no person of any world has."""
    others = [rng.randrange(len(ATTRIBUTES[name])) for name in VISIBLE[:-1]]
    hair = (rng.randrange(1, len(HAIRS)) - sum(others)) % len(HAIRS)
    return _look([*others, hair], rng)


def random_shot(rng: Random) -> Shot:
    """Clothes, expression, background and a light change of framing, drawn evenly."""
    return Shot(
        clothes=rng.choice(CLOTHES),
        clothes_colour=rng.choice(tuple(CLOTHES_COLOURS)),
        mouth=rng.choice(MOUTHS),
        eyes=rng.choice(EYES),
        eyebrows=rng.choice(EYEBROWS),
        background=rng.choice(tuple(BACKGROUNDS)),
        scale=rng.uniform(0.96, 1.04),
        right=rng.uniform(-0.03, 0.03),
        down=rng.uniform(-0.03, 0.03),
    )


def distinct_shots(count: int, seed: str) -> tuple[Shot, ...]:
    """Shots of one person, of which no two share clothes, expression and background.

    The first shots do not depend on how many follow.
    """
    rng = Random(f"shots/{seed}")
    shots: dict[tuple[str, ...], Shot] = {}
    while len(shots) < count:
        shot = random_shot(rng)
        shots.setdefault(shot.appearance, shot)
    return tuple(shots.values())


def _look(word: Sequence[int], rng: Random) -> Look:
    """The look of a code word, with any nose."""
    visible = {name: ATTRIBUTES[name][index] for name, index in zip(VISIBLE, word, strict=True)}
    return Look(**visible, nose=rng.choice(NOSES))
