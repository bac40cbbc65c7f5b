"""Plots as inline SVG: pure functions of numbers, coloured by the page's style sheet, legible in print and in the dark.

Every text passes through `Markup.format`, which escapes it. Classes `c0` to `c7` colour methods; base and gold have
their own, and each role has its own shape, so that nothing rests on colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from unsee.report.labels import Box, place

_LABEL_HEIGHT = 17.0
_LETTER = 7.2  # mean width of a letter at the labels' size, generous
_MOST_STEPS = 240  # points drawn per curve


@dataclass(frozen=True)
class Point:
    """One model in the forget-versus-retain plot; scores are shares from 0 to 1, intervals optional."""

    label: str
    role: Literal["base", "gold", "method"]
    colour: int
    x: float
    y: float
    x_interval: tuple[float, float] | None = None
    y_interval: tuple[float, float] | None = None


def scatter(
    points: Sequence[Point],
    x_label: str,
    y_label: str,
    ident: str,
    size: tuple[int, int] = (700, 430),
    target: tuple[float, float, float, float] | None = None,
    chance: tuple[float, float] | None = None,
) -> Markup:
    """Forget score against retain score, one labelled point per model with whiskers for its 95 % intervals.

    Args:
        points: the models.
        x_label: what the x axis measures (should fall).
        y_label: what the y axis measures (should stay).
        ident: prefix of element ids, unique in the page.
        size: width and height in pixels.
        target: (left, right, bottom, top) of the box that counts as a success, in scores.
        chance: lowest and highest accuracy of blind guessing on the x axis.
    """
    width, height = size
    frame = Box(46, 14, width - 14, height - 52)

    def x_of(share: float) -> float:
        return frame.left + (frame.right - frame.left) * (_clip(share) + 0.03) / 1.06

    def y_of(share: float) -> float:
        return frame.bottom - (frame.bottom - frame.top) * (_clip(share) + 0.03) / 1.06

    parts = list(_scatter_axes(frame, x_of, y_of, x_label, y_label, width))
    busy: list[Box] = []
    if chance:
        left, right = x_of(chance[0]) - 1, x_of(chance[1]) + 1
        band = '<rect class="chance" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>'
        parts.append(Markup(band).format(left, frame.top, right - left, frame.bottom - frame.top))
        busy.append(Box(right + 4, frame.bottom - 22, right + 110, frame.bottom - 4))
        text = '<text class="small" x="{:.1f}" y="{:.1f}">blind guessing</text>'
        parts.append(Markup(text).format(right + 5, frame.bottom - 9))
    if target:
        box = Box(x_of(target[0] - 0.03), y_of(target[3]), x_of(target[1]), y_of(target[2]))
        rect = '<rect class="target" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="5"/>'
        parts.append(Markup(rect).format(box.left, box.top, box.right - box.left, box.bottom - box.top))
        parts.append(
            Markup('<text class="small good" x="{:.1f}" y="{:.1f}">the goal</text>').format(box.left + 3, box.bottom + 15)
        )
        busy += [Box(box.left, box.bottom, box.left + 56, box.bottom + 20), box]
    parts += _scatter_points(points, x_of, y_of, frame, busy)
    said = "; ".join(f"{p.label}: {p.x:.2f} across, {p.y:.2f} up" for p in points)
    return _svg(ident, size, f"{x_label} against {y_label}", said, parts)


def _clip(share: float) -> float:
    return min(max(share, -0.03), 1.03)


def _scatter_axes(frame, x_of, y_of, x_label, y_label, width) -> Iterator[Markup]:  # type: ignore[no-untyped-def]
    yield Markup("")
