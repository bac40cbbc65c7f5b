"""A page with the scores of phrases and the thresholds that cut them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from markupsafe import Markup

from unsee.mining.selection import Thresholds
from unsee.report.plots.svg import drawing, element
from unsee.system.wording import plain

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 760, 400, 12, 20, 350
_LABELS = 36  # of the limits, above the bars
_BARS = 48
_COLOURS = {"phrases": "#5B7DB1", "real": "#2E8B57", "hallucinated": "#D1495B"}
_CSS = """
body{font:16px/1.5 system-ui,sans-serif;max-width:780px;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
svg{width:100%;height:auto} text{font-size:13px;fill:#333} .axis{stroke:#999} .limit{stroke:#222;stroke-dasharray:4 3}
table{border-collapse:collapse} td,th{padding:.2rem .8rem .2rem 0;text-align:left} td:last-child{text-align:right}
@media (prefers-color-scheme:dark){body{background:#16181c;color:#ddd} text{fill:#ccc} .limit{stroke:#eee}}
"""


def page(groups: Mapping[str, Sequence[float]], thresholds: Thresholds, facts: Mapping[str, float]) -> str:
    """HTML that stands alone.

    Args:
        groups: scores by kind: "phrases" alone, or "real" and "hallucinated".
        thresholds: lines in the plot.
        facts: rows of the table below; shares in [0, 1] and counts.
    """
    rows = {"positive above": thresholds.positive, "negative below": thresholds.negative}
    rows |= {"sentences above": thresholds.sentence, **{name.replace("_", " "): value for name, value in facts.items()}}
    cells = Markup("").join(
        Markup("<tr><th><bdi>{}</bdi></th><td>{:.4g}</td></tr>").format(plain(name), value)
        for name, value in rows.items()
    )
    return Markup(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="color-scheme" content="light dark"><title>Thresholds</title><style>{}</style></head>'
        "<body><h1>Scores of object phrases</h1><p>Unit: <bdi>{}</bdi></p>{}<table>{}</table></body></html>\n"
    ).format(Markup(_CSS), plain(thresholds.unit or "that of the scorer"), histogram(groups, thresholds), cells)


def histogram(groups: Mapping[str, Sequence[float]], thresholds: Thresholds) -> Markup:
    """Bars for each kind of phrase, and a line for each threshold."""
    everything = np.concatenate([np.asarray(scores, dtype=float) for scores in groups.values()])
    low, high = float(everything.min()), float(everything.max())
    limits = {"hallucinated <": thresholds.negative, "sentence >": thresholds.sentence, "> real": thresholds.positive}
    low, high = min(low, *limits.values()), max(high, *limits.values())
    edges = np.linspace(low, high if high > low else low + 1, _BARS + 1)
    counts = {name: np.histogram(scores, edges)[0] for name, scores in groups.items()}
    parts = [*_bars(counts), *_axis(edges), *_limits(limits, edges), *_key(groups)]
    description = f"{len(everything)} phrases from {low:.3g} to {high:.3g}"
    return drawing("scores", (_WIDTH, _HEIGHT), "Scores of object phrases", description, parts)


def _x(value: float, edges: np.ndarray) -> float:
    return float(_LEFT + (_WIDTH - 2 * _LEFT) * (value - edges[0]) / (edges[-1] - edges[0]))


def _bars(counts: Mapping[str, np.ndarray]) -> Iterator[Markup]:
    tallest = max(1, *(int(tallies.max()) for tallies in counts.values()))
    width = (_WIDTH - 2 * _LEFT) / _BARS
    for name, tallies in counts.items():
        for place, count in enumerate(tallies):
            height = (_BOTTOM - _TOP - _LABELS) * int(count) / tallest
            if count:
                yield element(
                    "rect",
                    x=_LEFT + place * width,
                    y=_BOTTOM - height,
                    width=width - 1,
                    height=height,
                    fill=_COLOURS[name],
                    fill_opacity="0.65",
                )


def _axis(edges: np.ndarray) -> Iterator[Markup]:
    yield element("path", d=f"M{_LEFT} {_BOTTOM}H{_WIDTH - _LEFT}", class_="axis")
    for value in np.linspace(edges[0], edges[-1], 6)[1:-1]:
        yield element("text", f"{value:.3g}", x=_x(value, edges), y=_BOTTOM + 18.0, text_anchor="middle")


def _limits(limits: Mapping[str, float], edges: np.ndarray) -> Iterator[Markup]:
    for place, (name, value) in enumerate(limits.items()):
        x = _x(value, edges)
        yield element("path", d=f"M{x:.1f} {_TOP - 10 + 14.0 * place:.1f}V{_BOTTOM}", class_="limit")
        left = name.endswith("<") or x > _WIDTH - 100  # a label stays within the picture
        yield element(
            "text",
            f"{name} {value:.4g}",
            x=x + (-4.0 if left else 4.0),
            y=_TOP + 14.0 * place,
            text_anchor="end" if left else "start",
        )


def _key(groups: Mapping[str, Sequence[float]]) -> Iterator[Markup]:
    for place, (name, scores) in enumerate(groups.items()):
        x = float(_LEFT + 190 * place)
        yield element("rect", x=x, y=_HEIGHT - 22.0, width=12.0, height=12.0, fill=_COLOURS[name])
        yield element("text", f"{name} ({len(scores)})", x=x + 18, y=_HEIGHT - 11.0)
