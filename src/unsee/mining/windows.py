"""Sliding windows over a picture that is resized once.

A window is a square of 4 x 4 patches of 48 pixels (Xing et al. 2024, arXiv 2402.09801), and it moves by one patch. An
encoder wants it at its own size, say 224 pixels. Cutting each window out and resizing it touches every pixel sixteen
times; here the whole picture is resized by 224 / 192 and windows are plain slices of the result. Resized by the library
that the encoder's own processor uses, a window has the very pixels of its own preprocessing, but for the few at its
border, where the resampling kernel sees the neighbouring pixels instead of repeating the border.

Where the grid of patches reaches beyond the picture, the last windows are shifted back to its edge instead of being cut
short, so that every window shows a whole square. A picture smaller than a window is seen at the scale at which its
shorter side fills one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import resize

from unsee.errors import InputError

_TENSOR_FILTERS = {  # by Pillow's number
    Image.Resampling.NEAREST: InterpolationMode.NEAREST,
    Image.Resampling.BILINEAR: InterpolationMode.BILINEAR,
    Image.Resampling.BICUBIC: InterpolationMode.BICUBIC,
}

LONGEST_STRIP = 20  # times as long as wide; a picture beyond that is left out


@dataclass(frozen=True, slots=True)
class Layout:
    """How the windows lie over one picture.

    Attributes:
        rows, columns: of windows.
        scale: from the picture to the resized picture.
        step: by which windows move, in pixels of the resized picture.
        size: of a window, in pixels of the resized picture.
    """

    rows: int
    columns: int
    scale: Fraction
    step: float
    size: int

    def resized(self, side: int) -> int:
        """A side of the resized picture; a pixel in which the picture would end is left out."""
        return max(self.size, math.floor(side * self.scale))

    def padding(self, side: int) -> int:
        """Pixels to add to a side so that the scale is exact: 640 times 7 / 6 is no whole number, 642 times is.

        None where that would take many, as after shrinking: then there is no grid of pixels to keep to.
        """
        missing = -side % self.scale.denominator
        return missing if missing < self.size else 0

    def starts(self, side: int, count: int) -> list[int]:
        """Where `count` windows begin along a side of the resized picture; the last one ends where that ends."""
        last = side - self.size
        return [*(min(round(place * self.step), last) for place in range(count - 1)), last if count > 1 else 0]


@dataclass(frozen=True, slots=True)
class Grid:
    """How windows lie over pictures.

    Attributes:
        patch: pixels by which windows move.
        patches: a window is a square of so many patches on each side.
        longest: larger pictures are looked at as if their longer side had so many pixels. COCO's have 640, and it is
            on these that patches and thresholds were chosen.
    """

    patch: int = 48
    patches: int = 4
    longest: int = 640

    def __post_init__(self) -> None:
        if min(self.patch, self.patches, self.longest) < 1:
            raise InputError(f"windows of {self.patches} patches of {self.patch} pixels: all need to be 1 at least")

    def shape(self, width: int, height: int) -> tuple[int, int]:
        """Rows and columns of the patches that cover a picture; never fewer than one window has."""
        shrunk = self._shrunk(width, height)
        rows, columns = (max(self.patches, math.ceil(side * shrunk / self.patch)) for side in (height, width))
        return rows, columns

    def layout(self, width: int, height: int, size: int) -> Layout:
        """The windows over a picture for an encoder that sees `size` x `size` pixels.

        Raises:
            InputError: the picture is a mere strip.
        """
        if max(width, height) > LONGEST_STRIP * min(width, height):
            raise InputError(f"{width} x {height} pixels: one side is more than {LONGEST_STRIP} times the other")
        shrunk = self._shrunk(width, height)
        zoom = size / min(Fraction(self.patch * self.patches), width * shrunk, height * shrunk)
        rows, columns = self.shape(width, height)
        more = self.patches - 1
        return Layout(rows - more, columns - more, shrunk * zoom, float(self.patch * zoom), size)

    def _shrunk(self, width: int, height: int) -> Fraction:
        return min(Fraction(1), Fraction(self.longest, max(width, height)))


@dataclass(frozen=True, slots=True)
class Look:
    """What an encoder wants to see; read from its image processor.

    Attributes:
        size: side of its square input, in pixels.
        resample: Pillow's number of the filter.
        pillow: whether Pillow resizes, and not torchvision; the two differ by up to 2 of 255.
        scale: factor that the 8-bit values are multiplied by.
        mean: subtracted from each channel, after scaling.
        std: each channel is divided by it.
    """

    size: int
    resample: int
    pillow: bool
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def of(cls, processor: Any, where: str) -> Look:
        """What an image processor does to pictures.

        Raises:
            InputError: it does not make squares of one size.
        """
        cropped = bool(getattr(processor, "do_center_crop", False)) and getattr(processor, "crop_size", None)
        wanted = dict(cropped or getattr(processor, "size", None) or {})
        height, width = wanted.get("height"), wanted.get("width")
        if not height or height != width:
            raise InputError(f"{where}: its image processor makes {wanted or 'no'} sizes; windows need squares")
        normalise = bool(getattr(processor, "do_normalize", True))
        mean, std = (processor.image_mean, processor.image_std) if normalise else ((0.0,) * 3, (1.0,) * 3)
        scale = processor.rescale_factor if getattr(processor, "do_rescale", True) else 1.0
        # torchvision cannot do every filter on tensors.
        pillow = "Pil" in type(processor).__name__ or int(processor.resample) not in _TENSOR_FILTERS
        return cls(int(height), int(processor.resample), pillow, float(scale), tuple(mean), tuple(std))


def cut(picture: Image.Image, layout: Layout, look: Look, device: torch.device, dtype: torch.dtype) -> list[Tensor]:
    """All windows of a picture as the encoder wants them, row by row.

    Returns:
        Views of one normalised picture; shape (3, size, size) each.
    """
    width, height = (layout.resized(side) for side in picture.size)
    pixels = _resized(picture, layout, look)[:, :height, :width].contiguous().to(device)
    factor = look.scale / torch.tensor(look.std, device=device).view(3, 1, 1)
    shift = torch.tensor([mean / std for mean, std in zip(look.mean, look.std, strict=True)], device=device)
    ready = (pixels * factor - shift.view(3, 1, 1)).to(dtype)
    tops, lefts = layout.starts(height, layout.rows), layout.starts(width, layout.columns)
    return [ready[:, y : y + layout.size, x : x + layout.size] for y in tops for x in lefts]


def _resized(picture: Image.Image, layout: Layout, look: Look) -> Tensor:
    """The resized picture, 8 bits; shape (3, height, width), or a little more where padding was needed."""
    right, below = (layout.padding(side) for side in picture.size)
    pixels = np.pad(np.asarray(picture), ((0, below), (0, right), (0, 0)), mode="edge")
    height, width = (layout.resized(side) for side in pixels.shape[:2])
    if look.pillow:
        scaled = Image.fromarray(pixels).resize((width, height), Image.Resampling(look.resample))
        return torch.from_numpy(np.array(scaled)).permute(2, 0, 1)
    # Channels stay last in memory, for which torchvision is fastest.
    channels_last = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    mode = _TENSOR_FILTERS[Image.Resampling(look.resample)]
    scaled_pixels: Tensor = resize(channels_last, [height, width], mode, antialias=True)
    return scaled_pixels[0]
