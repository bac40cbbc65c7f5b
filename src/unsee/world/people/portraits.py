"""Portraits of fictitious faces: python-avatars draws the parts, resvg rasterises them, Pillow stacks them.

Rasterising a whole avatar takes about six milliseconds, nearly all of it spent on parts that thousands of
portraits share. So each part is drawn once, alone, as a transparent layer, and a portrait is a stack of
cached layers, framed and scaled down to 64 x 64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any
from xml.etree import ElementTree

import numpy as np
import python_avatars as avatars
from numpy.typing import NDArray
from PIL import Image

from unsee.world.people.looks import (
    ATTRIBUTES,
    BACKGROUNDS,
    CLOTHES_COLOURS,
    HAIR_COLOURS,
    SKINS,
    Look,
    Shot,
    random_shot,
    unrelated_look,
)
from unsee.world.raster import SIZE, encode_png, rasterise

_LAYER = 96  # pixels; half as many again as the portrait, so that moving the frame by parts of a pixel shows
_VIEW = (7, -8, 250)  # left, top and side of what a layer shows, in the units of python-avatars
_FRAME = 220 / 250  # side of the standard frame, as a fraction of a layer


def portrait(look: Look, shot: Shot) -> bytes:
    """One photograph as PNG bytes, 64 x 64, RGB."""
    return encode_png(_compose(look, shot))


@dataclass(frozen=True, slots=True)
class LabelledPortraits:
    """Portraits for pre-training a vision tower, with the index of every attribute."""

    images: NDArray[np.uint8]  # (count, 64, 64, 3)
    labels: NDArray[np.int64]  # (count, len(attributes)), indices into the values of each attribute
    attributes: dict[str, tuple[str, ...]]  # name -> values, in the order of the columns of `labels`


def unrelated_portraits(count: int, seed: int = 0) -> LabelledPortraits:
    """Random faces that are nobody's, in any world: their looks are left out of `distinct_looks`.

    They therefore do not depend on a world, and one pre-trained vision tower serves all.
    """
    rng = Random(f"unrelated/{seed}")
    images = np.empty((count, SIZE, SIZE, 3), dtype=np.uint8)
    labels = np.empty((count, len(ATTRIBUTES)), dtype=np.int64)
    for row in range(count):
        look, shot = unrelated_look(rng), random_shot(rng)
        images[row] = np.asarray(_compose(look, shot))
        labels[row] = attribute_labels(look, shot)
    return LabelledPortraits(images, labels, dict(ATTRIBUTES))


def attribute_labels(look: Look, shot: Shot) -> list[int]:
    """The index of each attribute's value, in the order of `looks.ATTRIBUTES`."""
    return [
        values.index(getattr(look, name) if hasattr(look, name) else getattr(shot, name))
        for name, values in ATTRIBUTES.items()
    ]


def _compose(look: Look, shot: Shot) -> Image.Image:
    canvas = Image.new("RGBA", (_LAYER, _LAYER), BACKGROUNDS[shot.background])
    for layer in _layers(look, shot):
        canvas.alpha_composite(layer)
    side = _LAYER * _FRAME * shot.scale
    left = (_LAYER - side) / 2 + shot.right * side
    top = (_LAYER - side) / 2 + shot.down * side
    frame = (left, top, left + side, top + side)
    return canvas.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR, box=frame)


def _layers(look: Look, shot: Shot) -> Sequence[Image.Image]:
    """The parts from back to front, in the painting order of python-avatars."""
    hair_colour = HAIR_COLOURS[look.hair_colour]
    return (
        _layer("body", SKINS[look.skin]),
        _layer("clothing", shot.clothes, CLOTHES_COLOURS[shot.clothes_colour]),
        _layer("mouth", shot.mouth),
        _layer("nose", look.nose),
        _layer("eyes", shot.eyes),
        _layer("eyebrows", shot.eyebrows),
        _layer("hair", look.hair, hair_colour),
        _layer("facial_hair", look.facial_hair, hair_colour),
        _layer("accessory", look.accessory),
    )


@cache
def _layer(slot: str, part: str, colour: str = "") -> Image.Image:
    """One part of an avatar on transparent ground."""
    nothing = dict.fromkeys(("top", "eyebrows", "eyes", "nose", "mouth", "clothing", "facial_hair", "accessory"))
    avatar = avatars.Avatar(**(nothing | _avatar_arguments(slot, part, colour)))
    root = ElementTree.fromstring(avatar.render())
    if slot != "body":  # an avatar always has a body; every other layer goes without
        for group in root.findall("{*}g"):
            for body in group.findall("{*}g[@id='transparent_Body']"):
                group.remove(body)
    left, top, side = _VIEW
    root.set("viewBox", f"{left} {top} {side} {side}")
    root.set("width", str(_LAYER))
    root.set("height", str(_LAYER))
    return rasterise(ElementTree.tostring(root, encoding="unicode"), _LAYER, _LAYER)


def _avatar_arguments(slot: str, part: str, colour: str) -> dict[str, Any]:
    match slot:
        case "body":
            return {"skin_color": part}
        case "clothing":
            return {"clothing": avatars.ClothingType[part], "clothing_color": colour}
        case "hair":
            return {"top": avatars.HairType[part], "hair_color": colour}
        case "facial_hair":  # worn by a bald head, since python-avatars hangs beards and glasses on the hair
            beard = avatars.FacialHairType[part]
            return {"top": avatars.HairType.NONE, "facial_hair": beard, "facial_hair_color": colour}
        case "accessory":
            return {"top": avatars.HairType.NONE, "accessory": avatars.AccessoryType[part]}
    kinds = {"mouth": "MouthType", "nose": "NoseType", "eyes": "EyeType", "eyebrows": "EyebrowType"}
    return {slot: getattr(avatars, kinds[slot])[part]}
