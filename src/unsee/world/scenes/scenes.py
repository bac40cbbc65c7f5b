"""Scenes of a few objects on coloured ground: what the world has beside people.

Objects are Font Awesome icons, each class in its own colour, in the quarters of a 64 x 64 picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from random import Random
from xml.etree import ElementTree

from PIL import Image

from unsee.world.people.wordings import PERTURBED, Answer, word_answer
from unsee.world.raster import SIZE, encode_png, rasterise

# class -> (icon of Font Awesome, colour)
OBJECTS: dict[str, tuple[str, str]] = {
    "anchor": ("anchor", "#1F3A5F"),
    "apple": ("apple-whole", "#C8102E"),
    "bell": ("bell", "#B8860B"),
    "bicycle": ("bicycle", "#101010"),
    "book": ("book", "#5B2C83"),
    "car": ("car", "#1565D8"),
    "cat": ("cat", "#E07B00"),
    "chair": ("chair", "#7A4A21"),
    "cup": ("mug-hot", "#A01B6C"),
    "dog": ("dog", "#6B5B4B"),
    "fish": ("fish", "#00808A"),
    "guitar": ("guitar", "#8C1C13"),
    "house": ("house", "#D9480F"),
    "key": ("key", "#6F7A00"),
    "lemon": ("lemon", "#E3B800"),
    "plane": ("plane", "#4A5A78"),
    "tree": ("tree", "#1E7B34"),
    "umbrella": ("umbrella", "#E0218A"),
}
GROUNDS = {
    "white": "#FFFFFF",
    "grey": "#B9BDC2",
    "pink": "#FFC6D3",
    "blue": "#A8D4FF",
    "green": "#B4EBB0",
    "yellow": "#FFF2A0",
}
COUNTS = ("one", "two", "three", "four", "five", "six")  # scenes have up to two objects; the rest are wrong answers
TOPICS = ("objects", "ground", "count")  # what can be asked about a scene; wordings are in `wordings`

_MOST_OBJECTS = 2
ICON = 26  # pixels; an icon keeps its proportions within this square
_QUARTER = SIZE // 2


@dataclass(frozen=True, slots=True)
class Scene:
    """Different objects, where each one is, and the colour of the ground."""

    objects: tuple[str, ...]  # classes, in alphabetical order
    positions: tuple[tuple[int, int], ...]  # left and top of each object's square of 26 pixels
    ground: str

    def answer(self, topic: str, seed: str) -> Answer:
        """What is right about `topic`, one of `TOPICS`, with wrong answers drawn by `seed`."""
        rng = Random(f"perturbed/{seed}/{topic}")
        if topic == "objects":
            absent = rng.sample([name for name in OBJECTS if name not in self.objects], PERTURBED)
            swapped = rng.randrange(len(self.objects))
            kept = self.objects[:swapped] + self.objects[swapped + 1 :]
            wrong = [_listed((*kept, other)) for other in absent]
            return word_answer(topic, _listed(self.objects), wrong)
        values = tuple(GROUNDS) if topic == "ground" else COUNTS
        value = self.ground if topic == "ground" else COUNTS[len(self.objects) - 1]
        return word_answer(topic, value, rng.sample([other for other in values if other != value], PERTURBED))


def distinct_scenes(count: int, seed: str, most: int = _MOST_OBJECTS) -> tuple[Scene, ...]:
    """Random scenes of one to `most` objects, no two the same. The first ones do not depend on how many follow."""
    rng = Random(f"scenes/{seed}")
    scenes: dict[Scene, None] = {}
    while len(scenes) < count:
        scenes.setdefault(_random_scene(rng, most))
    return tuple(scenes)


def draw_scene(scene: Scene) -> bytes:
    """The scene as PNG bytes, 64 x 64, RGB."""
    canvas = Image.new("RGBA", (SIZE, SIZE), GROUNDS[scene.ground])
    for name, position in zip(scene.objects, scene.positions, strict=True):
        canvas.alpha_composite(_icon(name), position)
    return encode_png(canvas)


def _random_scene(rng: Random, most: int) -> Scene:
    objects = sorted(rng.sample(tuple(OBJECTS), rng.randint(1, most)))
    quarters = rng.sample([(0, 0), (_QUARTER, 0), (0, _QUARTER), (_QUARTER, _QUARTER)], len(objects))
    slack = _QUARTER - ICON
    positions = tuple((left + rng.randint(0, slack), top + rng.randint(0, slack)) for left, top in quarters)
    return Scene(tuple(objects), positions, rng.choice(tuple(GROUNDS)))


def _listed(objects: tuple[str, ...]) -> str:
    return ", ".join(sorted(objects))


@cache
def _icon(name: str) -> Image.Image:
    icon, colour = OBJECTS[name]
    path = files("fontawesomefree") / "static" / "fontawesomefree" / "svgs" / "solid" / f"{icon}.svg"
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    root.set("fill", colour)
    width, height = (float(number) for number in root.attrib["viewBox"].split()[2:])
    side = max(width, height)
    # A square window around the icon's middle keeps its proportions.
    root.set("viewBox", f"{(width - side) / 2} {(height - side) / 2} {side} {side}")
    root.set("width", str(ICON))
    root.set("height", str(ICON))
    return rasterise(ElementTree.tostring(root, encoding="unicode"), ICON, ICON)
