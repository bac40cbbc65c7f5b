"""Windows over a picture that is resized once see what each window's own preprocessing would show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPImageProcessor, SiglipImageProcessor
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from unsee.errors import InputError
from unsee.mining.aggregation import AGGREGATORS
from unsee.mining.windows import Grid, Look, cut

CPU = torch.device("cpu")


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def test_windows_are_as_many_as_in_the_paper(vectors: dict[str, Any]) -> None:
    for vector in vectors["windows"]:
        width, height = vector["wh"]
        layout = Grid().layout(width, height, 224)
        assert list(Grid().shape(width, height)) == vector["grid"]
        assert layout.rows * layout.columns == vector["n"]


def test_aggregators_agree_with_reference_values(vectors: dict[str, Any]) -> None:
    for vector in vectors["clip_agg"]:
        scores = np.array(vector["windows"], dtype=float)[..., None]
        assert AGGREGATORS["max"](scores, 4) == pytest.approx([vector["max"]])
        assert AGGREGATORS["patch_top4"](scores, 4) == pytest.approx([vector["code"]])


@pytest.mark.parametrize(
    ("place", "expected"),
    [((3, 5), 20.75), ((0, 0), 27.0)],  # one window of 32 among 7 x 11 of 20
)
def test_a_lone_window_counts_little_in_the_middle_and_more_in_a_corner(
    place: tuple[int, int], expected: float
) -> None:
    scores = np.full((7, 11, 2), 20.0)
    scores[(*place, 1)] = 32
    assert AGGREGATORS["patch_top4"](scores, 4) == pytest.approx([20, expected])
    assert AGGREGATORS["max"](scores, 4) == pytest.approx([20, 32])


@pytest.mark.parametrize("size", [(640, 480), (501, 375), (427, 640)])
@pytest.mark.parametrize(
    "processor",
    [CLIPImageProcessor(), CLIPImageProcessorPil(), SiglipImageProcessor(size={"height": 384, "width": 384})],
    ids=["torchvision", "pillow", "siglip"],
)
def test_windows_match_their_own_preprocessing(processor: Any, size: tuple[int, int]) -> None:
    picture, look = noise(*size), Look.of(processor, "here")
    layout = Grid().layout(*size, look.size)
    windows = cut(picture, layout, look, CPU, torch.float32)
    levels = torch.tensor(look.std).view(3, 1, 1) * 255  # back to steps of 8-bit values
    compared = 0
    for row in range(0, layout.rows, 3):
        for column in range(layout.columns):
            left, top = 48 * column, 48 * row
            if left + 192 > size[0] or top + 192 > size[1]:
                continue
            window = windows[row * layout.columns + column]
            own = processor(picture.crop((left, top, left + 192, top + 192)), return_tensors="pt")["pixel_values"][0]
            inside = ((window - own).abs() * levels)[:, 4:-4, 4:-4]
            assert inside.max() <= 1 + 1e-3
            compared += 1
    assert compared >= 8


def test_the_last_windows_end_where_the_picture_ends() -> None:
    look = Look.of(CLIPImageProcessor(), "here")
    picture = noise(20, 15).resize((640, 480), Image.Resampling.BICUBIC)
    layout = Grid().layout(640, 480, look.size)
    assert layout.starts(layout.resized(640), layout.columns)[-1] == layout.resized(640) - 224
    right = cut(picture, layout, look, CPU, torch.float32)[layout.columns - 1]
    own = CLIPImageProcessor()(picture.crop((448, 0, 640, 192)), return_tensors="pt")["pixel_values"][0]
    assert right.shape == own.shape
    assert (right - own).abs().mean() < 0.03  # half a pixel beside it


@pytest.mark.parametrize("size", [(192, 192), (96, 96), (100, 150), (3, 5), (1, 1), (192, 2000), (4000, 3000)])
def test_pictures_of_any_size_have_whole_windows(size: tuple[int, int]) -> None:
    look = Look.of(CLIPImageProcessor(), "here")
    layout = Grid().layout(*size, look.size)
    windows = cut(noise(*size), layout, look, CPU, torch.float32)
    assert len(windows) == layout.rows * layout.columns
    assert {tuple(window.shape) for window in windows} == {(3, 224, 224)}


def test_a_large_photograph_is_looked_at_as_if_it_were_small() -> None:
    large, small = Grid().layout(4000, 3000, 224), Grid().layout(640, 480, 224)
    assert (large.rows, large.columns) == (small.rows, small.columns) == (7, 11)
    assert Grid(longest=4000).layout(4000, 3000, 224).columns > 70


def test_a_strip_is_refused() -> None:
    with pytest.raises(InputError, match="2000 x 3 pixels"):
        Grid().layout(2000, 3, 224)


def test_encoders_that_see_no_squares_are_refused() -> None:
    with pytest.raises(InputError, match="windows need squares"):
        Look.of(CLIPImageProcessor(do_center_crop=False), "here")
