"""Faces can be told apart, photographs of one face differ, and pictures are what they should be."""

from __future__ import annotations

from io import BytesIO
from itertools import combinations
from random import Random

import numpy as np
import pytest
from PIL import Image

from unsee.errors import InputError
from unsee.world import unrelated_portraits
from unsee.world.people.looks import (
    ATTRIBUTES,
    HAIRS,
    MOST_LOOKS,
    VISIBLE,
    Look,
    Shot,
    distinct_looks,
    distinct_shots,
    unrelated_look,
)
from unsee.world.people.portraits import attribute_labels, portrait
from unsee.world.raster import encode_png
from unsee.world.scenes.scenes import OBJECTS, Scene, distinct_scenes, draw_scene

SHOT = Shot("HOODIE", "navy", "SMILE", "DEFAULT", "DEFAULT", "sky")
LOOK = Look("pale", "BOB", "red", "NONE", "NONE", "DEFAULT")


def pixels(png: bytes) -> np.ndarray:
    with Image.open(BytesIO(png)) as image:
        assert image.format == "PNG"
        assert image.mode == "RGB"
        assert image.size == (64, 64)
        return np.asarray(image).astype(int)


def code_sum(look: Look) -> int:
    return sum(ATTRIBUTES[name].index(getattr(look, name)) for name in VISIBLE)


def differences(one: Look, other: Look) -> int:
    return sum(getattr(one, name) != getattr(other, name) for name in VISIBLE)


def test_png_holds_the_pixels_it_was_given() -> None:
    given = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert (pixels(encode_png(Image.fromarray(given))) == given).all()


def test_portraits_and_scenes_are_small_rgb_pictures() -> None:
    pixels(portrait(LOOK, SHOT))
    pixels(draw_scene(distinct_scenes(1, "any")[0]))


def test_people_of_a_usual_world_differ_in_three_visible_attributes() -> None:
    for seed in range(5):
        looks = distinct_looks(36, seed)
        assert min(differences(one, other) for one, other in combinations(looks, 2)) >= 3


def test_all_looks_together_still_differ_in_two() -> None:
    looks = distinct_looks(MOST_LOOKS, seed=0)
    assert all(code_sum(look) % len(HAIRS) == 0 for look in looks)
    # A sum that is fixed modulo more values than any attribute has leaves no room for a single difference.
    assert len(HAIRS) >= max(len(ATTRIBUTES[name]) for name in VISIBLE)
    assert len({tuple(getattr(look, name) for name in VISIBLE) for look in looks}) == MOST_LOOKS
    with pytest.raises(InputError, match="1345 people were asked for"):
        distinct_looks(MOST_LOOKS + 1, seed=0)


@pytest.mark.parametrize("name", [*VISIBLE, "clothes", "clothes_colour", "mouth", "eyes", "eyebrows", "background"])
def test_every_value_of_an_attribute_changes_the_picture(name: str) -> None:
    pictures = []
    for value in ATTRIBUTES[name]:
        look = {field: getattr(LOOK, field) for field in LOOK.__slots__}
        shot = {field: getattr(SHOT, field) for field in SHOT.__slots__}
        (look if name in look else shot)[name] = value
        pictures.append(pixels(portrait(Look(**look), Shot(**shot))))
    for one, other in combinations(pictures, 2):
        assert np.abs(one - other).max() > 20


def test_photographs_of_one_person_all_differ() -> None:
    shots = distinct_shots(200, "someone")
    assert len({shot.appearance for shot in shots}) == 200
    assert distinct_shots(5, "someone") == shots[:5]
    assert all(0.96 <= shot.scale <= 1.04 and abs(shot.right) <= 0.03 and abs(shot.down) <= 0.03 for shot in shots)


def test_unrelated_faces_are_nobodys() -> None:
    rng = Random("any")
    assert all(code_sum(unrelated_look(rng)) % len(HAIRS) != 0 for _ in range(2000))


def test_unrelated_portraits_come_with_their_labels() -> None:
    portraits = unrelated_portraits(50, seed=1)
    assert portraits.images.shape == (50, 64, 64, 3)
    assert portraits.labels.shape == (50, len(portraits.attributes))
    assert (portraits.labels < [len(values) for values in portraits.attributes.values()]).all()
    assert (portraits.images[:20] == unrelated_portraits(20, seed=1).images).all()
    assert (portraits.images != unrelated_portraits(50, seed=2).images).any()
    assert attribute_labels(LOOK, SHOT)[:3] == [0, HAIRS.index("BOB"), 2]


def test_scenes_hold_what_they_say() -> None:
    scenes = distinct_scenes(300, "any")
    assert len(set(scenes)) == 300
    assert {len(scene.objects) for scene in scenes} == {1, 2}
    assert {name for scene in scenes for name in scene.objects} == set(OBJECTS)
    assert all(len(set(scene.objects)) == len(scene.objects) == len(scene.positions) for scene in scenes)


def test_objects_are_where_the_scene_says() -> None:
    picture = pixels(draw_scene(Scene(("car",), ((34, 2),), "white")))
    drawn = np.argwhere((picture != 255).any(axis=2))
    top, left = drawn.min(axis=0)
    bottom, right = drawn.max(axis=0)
    assert 34 <= left < right < 34 + 26
    assert 2 <= top < bottom < 2 + 26


def test_scene_answers_name_objects_ground_and_count() -> None:
    scene = Scene(("bell", "car"), ((0, 0), (32, 32)), "pink")
    assert scene.answer("objects", "0").value == "bell, car"
    assert scene.answer("ground", "0").value == "pink"
    assert scene.answer("count", "0").value == "two"
    for wrong in scene.answer("objects", "0").perturbed:
        assert wrong.removesuffix(" in the picture") != "bell, car"
        assert len(wrong.split(", ")) == 2
