"""Plots: labels never overlap, exploding losses fit, and what is not a number is shown as such."""

from __future__ import annotations

import math
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from unsee.report.plots.curves import curve, value_range
from unsee.report.plots.labels import Box, place
from unsee.report.plots.scatter import Goal, Point, scatter

FRAME = Box(44, 10, 330, 346)  # the inside of the narrow plot
shares = st.floats(0, 1)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(shares, shares, st.integers(30, 150)), min_size=1, max_size=12))
def test_labels_lie_inside_and_never_overlap(points: list[tuple[float, float, int]]) -> None:
    at = [(44 + 286 * x, 346 - 336 * y) for x, y, _ in points]
    boxes = place(at, [float(width) for _, _, width in points], 18, FRAME)
    for i, box in enumerate(boxes):
        assert box.left >= FRAME.left
        assert box.right <= FRAME.right
        assert box.top >= FRAME.top
        assert box.bottom <= FRAME.bottom
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_labels_of_points_in_the_same_place_do_not_overlap() -> None:
    boxes = place([(50.0, 20.0)] * 8, [120.0] * 8, 18, FRAME)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_a_label_wider_than_the_plot_is_placed_all_the_same() -> None:
    assert len(place([(50.0, 20.0)], [900.0], 18, FRAME)) == 1


def test_base_gold_and_methods_have_their_own_shapes() -> None:
    points = [
        Point("Base", "base", 0, 1.0, 1.0),
        Point("Gold", "gold", 0, 0.1, 1.0, (0.0, 0.2), (0.9, 1.0)),
        Point("<NPO>", "method", 0, 0.1, 0.9, (0.0, 0.2), (0.8, 1.0)),
    ]
    svg = scatter(points, x_label="x", y_label="y", ident="p", goal=Goal(0.0, 0.2, 0.93), chance=(0.04, 0.08))
    marks = re.findall(r'<path d="([^"]*)" class="mark (\w+)">', svg)
    assert [name for _, name in marks] == ["base", "gold", "c0"]
    assert len({re.sub(r"[\d. -]", "", d) for d, _ in marks}) == 3
    assert svg.count('class="whisker') == 4
    assert "&lt;NPO&gt;" in svg
    assert "<NPO>" not in svg
    assert svg.count('class="goal"') == svg.count('class="chance"') == 1


def test_all_panels_share_a_range_that_holds_every_finite_value() -> None:
    panels = [{"forget": [(0, -5.0), (1, math.nan)]}, {"forget": [(0, 14.0), (1, math.inf)]}]
    assert value_range(panels) == (-5.0, 14.0)
    assert value_range([]) == (0.0, 1.0)
    assert value_range([{"forget": [(0, -1e300)]}]) == (-1e9, 1.0)  # farther values are drawn at the edge


def draw(line: list[tuple[int, float]]) -> Markup:
    return curve({"forget": line}, title="t", ident="c", values=value_range([{"forget": line}]), names=["forget"])


def test_a_line_breaks_where_it_is_not_a_number() -> None:
    svg = draw([(0, 1.0), (1, math.nan), (2, 2.0), (3, 3.0)])
    line = re.search(r'd="([^"]*)" class="curve l0"', svg)
    assert line is not None
    assert line[1].count("M") == 2
    assert line[1].count("L") == 1
    assert svg.count('class="broken"') == 1


def test_a_curve_of_nothing_but_nan_is_a_cross() -> None:
    svg = draw([(0, math.nan), (1, math.inf)])
    assert svg.count('class="broken"') == 1
    assert "nan" not in re.sub(r"<desc.*?</desc>", "", svg)


def test_long_curves_are_thinned_but_keep_their_spikes() -> None:
    line = [(i, 1.0) for i in range(20_000)]
    line[12_345] = (12_345, -500.0)
    svg = draw(line)
    path = re.search(r'd="([^"]*)" class="curve l0"', svg)
    assert path is not None
    assert path[1].count("L") < 600
    heights = [float(y) for y in re.findall(r" (\d+\.\d)(?=[ML]|h|$)", path[1])]
    assert max(heights) - min(heights) > 100  # pixels: the spike is there


def test_a_scale_from_minus_a_thousand_to_ten_is_marked_at_round_numbers() -> None:
    svg = draw([(0, 10.0), (1, -1000.0)])
    ticks = re.findall(r'class="tick end">([^<]*)<', svg)
    assert {"0", "\u2212100", "\u22121,000"} <= set(ticks)
