"""The forget-versus-retain plot: a pure function from scores to inline SVG.

Classes `c0` to `c7` colour methods; base and gold have their own colour and shape, and everything is labelled, so that
nothing rests on colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from unsee.report.plots.labels import Box, place
from unsee.report.plots.svg import drawing, element
from unsee.system.wording import plain, short

_LABEL_HEIGHT = 18.0
_LETTER = 7.3  # mean width of a letter of a label, generous
_EDGE = 0.03  # room beyond 0 and 1, so that points there are whole


@dataclass(frozen=True)
class Point:
    """One model in the forget-versus-retain plot; scores are shares from 0 to 1."""

    label: str
    role: Literal["base", "gold", "method"]
    colour: int
    x: float
    y: float
    x_interval: tuple[float, float] | None = None
    y_interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Goal:
    """The box of scores that counts as success."""

    left: float
    right: float
    bottom: float
    top: float = 1.0


@dataclass(frozen=True)
class _Frame:
    """The inside of the scatter plot in pixels, and the way from a share to a pixel."""

    box: Box

    def x(self, share: float) -> float:
        return self.box.left + (self.box.right - self.box.left) * self._part(share)

    def y(self, share: float) -> float:
        return self.box.bottom - (self.box.bottom - self.box.top) * self._part(share)

    def _part(self, share: float) -> float:
        return (min(max(share, -_EDGE), 1 + _EDGE) + _EDGE) / (1 + 2 * _EDGE)


def scatter(
    points: Sequence[Point],
    *,
    x_label: str,
    y_label: str,
    ident: str,
    size: tuple[int, int] = (680, 420),
    goal: Goal | None = None,
    chance: tuple[float, float] | None = None,
) -> Markup:
    """Forget score against retain score, one labelled point per model with whiskers for its 95 % intervals.

    Args:
        points: the models.
        x_label: what the x axis measures (should fall).
        y_label: what the y axis measures (should stay).
        ident: prefix of element ids, unique in the page.
        size: width and height in pixels.
        goal: where a success lies.
        chance: lowest and highest accuracy of blind guessing on the x axis.
    """
    frame = _Frame(Box(44, 10, size[0] - 10, size[1] - 54))
    parts = [*_axes(frame, x_label, y_label)]
    busy: list[Box] = []
    for draw in (_chance(frame, chance), _goal(frame, goal)):
        for part, covered in draw:
            parts.append(part)
            busy.append(covered)
    parts += _points(points, frame, busy)
    description = "; ".join(f"{_short(p.label)}: {p.x:.2f} across, {p.y:.2f} up" for p in points)
    return drawing(ident, size, f"{_short(y_label, 80)}, against {_short(x_label, 80)}", description, parts)


def _axes(frame: _Frame, x_label: str, y_label: str) -> Iterator[Markup]:
    box = frame.box
    for k in range(5):
        share = k / 4
        x, y, words = frame.x(share), frame.y(share), f"{25 * k}\N{NO-BREAK SPACE}%"
        yield element(
            "path", d=f"M{box.left:.1f} {y:.1f}H{box.right:.1f}M{x:.1f} {box.top:.1f}V{box.bottom:.1f}", class_="grid"
        )
        yield element("text", f"{25 * k}", x=box.left - 8, y=y + 4, class_="tick end")
        yield element("text", words, x=x, y=box.bottom + 18, class_="tick mid")
    middle, half = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    yield element("text", f"← {_short(x_label, 42)}", x=middle, y=box.bottom + 42, class_="axis mid")
    yield element(
        "text", f"{_short(y_label, 42)} →", class_="axis mid", transform=f"translate(12 {half:.1f}) rotate(-90)"
    )


def _chance(frame: _Frame, chance: tuple[float, float] | None) -> Iterator[tuple[Markup, Box]]:
    if chance is None:
        return
    left, right, box = frame.x(chance[0]) - 1.5, frame.x(chance[1]) + 1.5, frame.box
    band = element("rect", x=left, y=box.top, width=right - left, height=box.bottom - box.top, class_="chance")
    yield band, Box(left, box.top, right, box.top)
    name = Box(right + 5, box.bottom - 42, right + 95, box.bottom - 24)
    yield element("text", "blind guessing", x=name.left, y=name.bottom - 5, class_="small"), name


def _goal(frame: _Frame, goal: Goal | None) -> Iterator[tuple[Markup, Box]]:
    if goal is None:
        return
    left, right = frame.x(-_EDGE if goal.left <= 0 else goal.left), frame.x(goal.right)
    top, bottom = frame.y(1 + _EDGE), frame.y(goal.bottom)
    box = Box(left, top, right, bottom)
    yield element("rect", x=left, y=top, width=right - left, height=bottom - top, rx=4, class_="goal"), box
    name = Box(right - 58, bottom + 1, right, bottom + 20)
    yield element("text", "the goal", x=name.right - 2, y=name.bottom - 5, class_="small good end"), name


def _points(points: Sequence[Point], frame: _Frame, busy: Sequence[Box]) -> Iterator[Markup]:
    """Whiskers below, then leader lines, marks and labels."""
    at = [(frame.x(point.x), frame.y(point.y)) for point in points]
    whiskers = [_whiskers(point, frame) for point in points]
    for point, boxes in zip(points, whiskers, strict=True):
        for box in boxes:
            d = f"M{box.left:.1f} {box.top:.1f}L{box.right:.1f} {box.bottom:.1f}"
            yield element("path", d=d, class_=f"whisker {_colour(point)}")
    labels = [_short(point.label) for point in points]
    thick = [box.grown(2) for boxes in whiskers for box in boxes]
    places = place(at, [_LETTER * len(label) + 6 for label in labels], _LABEL_HEIGHT, frame.box, [*busy, *thick])
    for (x, y), box in zip(at, places, strict=True):
        end_x, end_y = box.nearest(x, y)
        if math.dist((x, y), (end_x, end_y)) > 13:
            yield element("path", d=f"M{x:.1f} {y:.1f}L{end_x:.1f} {end_y:.1f}", class_="leader")
    for point, (x, y) in zip(points, at, strict=True):
        yield element("path", d=_shape(point.role, x, y), class_=f"mark {_colour(point)}")
    for point, label, (x, _), box in zip(points, labels, at, places, strict=True):
        right = box.right <= x  # a label left of its point ends at it
        yield element(
            "text",
            label,
            x=box.right - 3 if right else box.left + 3,
            y=box.bottom - 5,
            class_=f"label {'end' if right else ''} {_colour(point)}",
        )


def _whiskers(point: Point, frame: _Frame) -> list[Box]:
    x, y, boxes = frame.x(point.x), frame.y(point.y), []
    if point.x_interval:
        boxes.append(Box(frame.x(point.x_interval[0]), y, frame.x(point.x_interval[1]), y))
    if point.y_interval:
        boxes.append(Box(x, frame.y(point.y_interval[1]), x, frame.y(point.y_interval[0])))
    return boxes


def _shape(role: str, x: float, y: float) -> str:
    """Base is a square, gold a diamond, a method a circle."""
    if role == "base":
        return f"M{x - 5.5:.1f} {y - 5.5:.1f}h11v11h-11z"
    if role == "gold":
        return f"M{x:.1f} {y - 8:.1f}l8 8l-8 8l-8 -8z"
    return f"M{x - 6:.1f} {y:.1f}a6 6 0 1 0 12 0a6 6 0 1 0 -12 0z"


def _colour(point: Point) -> str:
    return point.role if point.role != "method" else f"c{point.colour % 8}"


def _short(label: str, most: int = 22) -> str:
    return short(plain(label), most)
