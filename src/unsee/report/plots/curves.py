"""The training curves: a pure function from losses to inline SVG, one small panel per method."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from markupsafe import Markup

from unsee.report.plots.labels import Box
from unsee.report.plots.svg import drawing, element
from unsee.system.wording import short

Line = Sequence[tuple[int, float]]  # (step, value), in order of steps

_FARTHEST = 1e9  # values beyond are drawn at the edge
_MOST_STEPS = 240  # points drawn per line


def value_range(curves: Sequence[Mapping[str, Line]]) -> tuple[float, float]:
    """Lowest and highest finite value over all panels, zero included, so that all share one scale."""
    values = [v for panel in curves for line in panel.values() for _, v in line if math.isfinite(v)]
    return max(min([0.0, *values]), -_FARTHEST), min(max([1.0, *values]), _FARTHEST)


def curve(
    lines: Mapping[str, Line],
    *,
    title: str,
    ident: str,
    values: tuple[float, float],
    names: Sequence[str],
    size: tuple[int, int] = (240, 160),
    kept: int | None = None,
) -> Markup:
    """The losses of one method over its training steps.

    The scale is asinh: linear near zero and logarithmic far from it, on both sides, so that a loss that explodes
    (gradient ascent has no floor) fits beside one that settles. Where a loss stopped being a number, the line ends
    with a cross at the top.

    Args:
        lines: name of the loss -> (step, value), in order of steps.
        title: what the panel is called by a screen reader.
        ident: prefix of element ids, unique in the page.
        values: range of the scale, the same for all panels (`value_range`).
        names: all losses of the page, in order; each has its own stroke.
        size: width and height in pixels.
        kept: step of the state that was kept, where an upright line stands.
    """
    box = Box(40, 8, size[0] - 8, size[1] - 24)
    low, high = math.asinh(values[0]), math.asinh(values[1])
    last = max([1, *(step for line in lines.values() for step, _ in line)])

    def x_of(step: int) -> float:
        return box.left + (box.right - box.left) * step / last

    def y_of(value: float) -> float:
        value = min(max(value, values[0]), values[1])
        return box.bottom - (box.bottom - box.top) * (math.asinh(value) - low) / (high - low)

    parts = [*_value_ticks(values, y_of, box)]
    for step, anchor in ((0, "start"), (last, "end")):
        parts.append(element("text", f"step {step}", x=x_of(step), y=box.bottom + 18, class_=f"tick {anchor}"))
    descriptions = [] if kept is None else [f"kept: step {kept}"]
    if kept is not None:
        parts.append(element("path", d=f"M{x_of(kept):.1f} {box.top:.1f}V{box.bottom:.1f}", class_="zero"))
    for name, line in lines.items():
        thin = _thinned(line)
        parts += _line(thin, x_of, y_of, f"curve l{names.index(name) % 6}", box)
        descriptions.append(
            f"{short(name, 40)}: {_number(line[0][1])} at first, {_number(line[-1][1])} at last"
            if line
            else f"{short(name, 40)}: empty"
        )
    return drawing(ident, size, title, "; ".join(descriptions), parts)


def _value_ticks(values: tuple[float, float], y_of: Callable[[float], float], box: Box) -> Iterator[Markup]:
    """Zero, then powers of ten, then the numbers between them, as far as there is room."""
    drawn: list[float] = []
    for value in _round_values():
        y = y_of(value) if values[0] <= value <= values[1] else math.nan
        if not math.isnan(y) and all(abs(y - other) >= 20 for other in drawn):
            drawn.append(y)
            yield element("path", d=f"M{box.left:.1f} {y:.1f}H{box.right:.1f}", class_="zero" if value == 0 else "grid")
            yield element("text", _number(value), x=box.left - 6, y=y + 4, class_="tick end")


def _round_values() -> Iterator[float]:
    yield 0.0
    for power in (3, 6, 9, 12, 2, 1, 0):  # thousands first: they leave the widest gaps
        yield from (10.0**power, -(10.0**power))
    for value in (0.5, 2.0, 5.0, 20.0, 50.0):
        yield from (value, -value)


def _line(
    line: Line, x_of: Callable[[int], float], y_of: Callable[[float], float], style: str, box: Box
) -> Iterator[Markup]:
    """The line, broken where a value is not a number; a cross at the top marks the first such step."""
    path, pen = "", "M"
    for step, value in line:
        if math.isfinite(value):
            path += f"{pen}{x_of(step):.1f} {y_of(value):.1f}" + (
                "h0" if pen == "M" else ""
            )  # h0: a lone value is a dot
        pen = "L" if math.isfinite(value) else "M"
    if path:
        yield element("path", d=path, class_=style)
    broken = first_broken(line)
    if broken is not None:
        yield element("path", d=f"M{x_of(broken) - 4:.1f} {box.top:.1f}l8 8m0 -8l-8 8", class_="broken")


def first_broken(line: Line) -> int | None:
    """The first step whose value is not a finite number, or None."""
    return next((step for step, value in line if not math.isfinite(value)), None)


def _thinned(line: Line) -> Line:
    """At most about `_MOST_STEPS` points: of each stretch the lowest and the highest, so that spikes stay."""
    stretch = 2 * len(line) // _MOST_STEPS
    if stretch < 3:
        return line
    kept: set[int] = {0, len(line) - 1}
    for start in range(0, len(line), stretch):
        part = range(start, min(start + stretch, len(line)))
        kept |= set([i for i in part if not math.isfinite(line[i][1])][:1])
        finite = [i for i in part if math.isfinite(line[i][1])]
        if finite:
            kept |= {min(finite, key=lambda i: line[i][1]), max(finite, key=lambda i: line[i][1])}
    return [line[i] for i in sorted(kept)]


def _number(value: float) -> str:
    """Short: -1234.5 -> "-1,234", 0.0312 -> "0.03"."""
    if not math.isfinite(value):
        return "not a number"
    size = abs(value)
    written = f"{size:.1e}" if size >= 1e6 else f"{size:,.0f}" if size >= 10 else f"{size:.2g}"
    return ("\N{MINUS SIGN}" if value < 0 else "") + written
