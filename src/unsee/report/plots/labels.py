"""Put a label beside every point of a plot so that no two labels overlap, however close the points are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Line = tuple[tuple[float, float], tuple[float, float]]

_STEP = 8.0  # grid of places that are tried, in pixels


@dataclass(frozen=True)
class Box:
    """A rectangle in plot pixels; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def nearest(self, x: float, y: float) -> tuple[float, float]:
        """The point of the box that is closest to (x, y): where a leader line ends."""
        return min(max(x, self.left), self.right), min(max(y, self.top), self.bottom)

    def grown(self, by: float) -> Box:
        return Box(self.left - by, self.top - by, self.right + by, self.bottom + by)


@dataclass
class _Crowd:
    """What a further label has to keep clear of."""

    marks: Sequence[Box]  # the points
    obstacles: Sequence[Box]
    labels: list[Box]
    leaders: list[Line]  # from a point to its label


def place(
    points: Sequence[tuple[float, float]],
    widths: Sequence[float],
    height: float,
    bounds: Box,
    obstacles: Sequence[Box] = (),
) -> list[Box]:
    """Choose a box for each label: near its point, clear of labels already placed, then of points and obstacles.

    Args:
        points: where the labelled points are.
        widths: how wide each label is.
        height: how high every label is.
        bounds: where labels may lie.
        obstacles: what they should not cover if it can be helped (whiskers, captions).

    Returns:
        One box per point, in order. Boxes overlap only if the bounds have no room left.
    """
    crowd = _Crowd([Box(x, y, x, y).grown(8) for x, y in points], obstacles, [], [])
    placed: dict[int, Box] = {}
    for i in sorted(range(len(points)), key=lambda k: (points[k][1], points[k][0])):
        placed[i] = _cheapest(_places(widths[i], height, bounds), points[i], crowd)
        crowd.labels.append(placed[i].grown(5))
        crowd.leaders.append((points[i], placed[i].nearest(*points[i])))
    return [placed[i] for i in range(len(points))]


def _places(width: float, height: float, bounds: Box) -> Iterator[Box]:
    """Every place that a label of this size may take, on a grid; at least one, even if the bounds are too small."""
    columns = max(0, int((bounds.right - bounds.left - width) // _STEP))
    rows = max(0, int((bounds.bottom - bounds.top - height) // _STEP))
    for row in range(rows + 1):
        for column in range(columns + 1):
            left, top = bounds.left + column * _STEP, bounds.top + row * _STEP
            yield Box(left, top, left + width, top + height)


def _cheapest(places: Iterator[Box], point: tuple[float, float], crowd: _Crowd) -> Box:
    """The place with the lowest cost, tried from near to far: no place costs less than its distance."""
    nearest_first = sorted((math.dist(point, box.nearest(*point)), i, box) for i, box in enumerate(places))
    best, lowest = nearest_first[0][2], math.inf
    for distance, _, box in nearest_first:
        if distance >= lowest:
            break
        cost = _cost(box, point, crowd)
        if cost < lowest:
            best, lowest = box, cost
    return best


def _cost(box: Box, point: tuple[float, float], crowd: _Crowd) -> float:
    """Pixels from the point, and a price for everything that the label or its leader line would cover."""
    end = box.nearest(*point)
    leader = (point, end)
    cost = math.dist(point, end) + 0.15 * abs((box.top + box.bottom) / 2 - point[1])  # beside rather than above
    cost += 10_000 * sum(box.overlaps(other) for other in crowd.labels)
    cost += 200 * sum(box.overlaps(other) for other in crowd.marks)
    cost += 40 * sum(box.overlaps(other) for other in crowd.obstacles)
    cost += 300 * sum(_crosses(leader, other) for other in crowd.labels)
    cost += 300 * sum(_crosses(other, box) for other in crowd.leaders)
    return cost + 60 * sum(_meet(leader, other) for other in crowd.leaders)


def _crosses(line: Line, box: Box) -> bool:
    """Whether a line runs through a box, tried at a dozen points of it."""
    (x0, y0), (x1, y1) = line
    samples = ((x0 + (x1 - x0) * k / 12, y0 + (y1 - y0) * k / 12) for k in range(13))
    return any(box.left < x < box.right and box.top < y < box.bottom for x, y in samples)


def _meet(line: Line, other: Line) -> bool:
    """Whether two lines cross each other."""
    (a, b), (c, d) = line, other
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _side(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
