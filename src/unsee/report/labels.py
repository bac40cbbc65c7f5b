"""Put a label beside every point of a plot so that no two labels overlap, however close the points are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_STEP = 6.0  # grid of places that are tried, in pixels


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
    placed: dict[int, Box] = {}
    marks = [Box(x, y, x, y).grown(8) for x, y in points]
    for i in sorted(range(len(points)), key=lambda k: (points[k][1], points[k][0])):
        taken = [box.grown(1) for box in placed.values()]
        leaders = [(points[k], box.nearest(*points[k])) for k, box in placed.items()]
        placed[i] = min(
            _places(widths[i], height, bounds),
            key=lambda box, i=i: _cost(box, points[i], taken, marks, obstacles, leaders),  # type: ignore[misc]
        )
    return [placed[i] for i in range(len(points))]


def _places(width: float, height: float, bounds: Box) -> Iterator[Box]:
    """Every place that a label of this size may take, on a grid; at least one, even if the bounds are too small."""
    columns = max(0, int((bounds.right - bounds.left - width) // _STEP))
    rows = max(0, int((bounds.bottom - bounds.top - height) // _STEP))
    for row in range(rows + 1):
        for column in range(columns + 1):
            left, top = bounds.left + column * _STEP, bounds.top + row * _STEP
            yield Box(left, top, left + width, top + height)


def _cost(
    box: Box,
    point: tuple[float, float],
    taken: Sequence[Box],
    marks: Sequence[Box],
    obstacles: Sequence[Box],
    leaders: Sequence[tuple[tuple[float, float], tuple[float, float]]],
) -> float:
    x, y = point
    near_x, near_y = box.nearest(x, y)
    distance = float(((near_x - x) ** 2 + (near_y - y) ** 2) ** 0.5)
    cost = distance + 0.15 * abs((box.top + box.bottom) / 2 - y)  # beside rather than above or below
    cost += 10_000 * sum(box.overlaps(other) for other in taken)
    cost += 200 * sum(box.overlaps(other) for other in marks)
    cost += 40 * sum(box.overlaps(other) for other in obstacles)
    leader = (point, (near_x, near_y))
    cost += 300 * sum(_crosses(leader, other) for other in taken)
    cost += 300 * sum(_crosses(other, box) for other in leaders)
    return cost + 60 * sum(_meet(leader, other) for other in leaders)


def _crosses(line: tuple[tuple[float, float], tuple[float, float]], box: Box) -> bool:
    """Whether a line runs through a box, tried at a dozen points of it."""
    (x0, y0), (x1, y1) = line
    samples = ((x0 + (x1 - x0) * k / 12, y0 + (y1 - y0) * k / 12) for k in range(13))
    return any(box.left < x < box.right and box.top < y < box.bottom for x, y in samples)


def _meet(
    one: tuple[tuple[float, float], tuple[float, float]], other: tuple[tuple[float, float], tuple[float, float]]
) -> bool:
    """Whether two lines cross each other."""

    def side(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    (a, b), (c, d) = one, other
    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0
