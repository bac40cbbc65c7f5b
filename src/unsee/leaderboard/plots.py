"""Plots of a leaderboard: pure functions from results to SVG, inline for the page and alone for documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files

from markupsafe import Markup

from unsee.leaderboard.plan import BASE, GOLD
from unsee.leaderboard.results import Results
from unsee.report.plots.scatter import Point, scatter
from unsee.report.plots.svg import drawing, element
from unsee.system.wording import short

_LINE, _PANEL, _NAMES, _TOP = 22, 118, 150, 34  # pixels: a row, a probe, the names, the head


def scatter_plot(found: Results, retain: str) -> Markup:
    """Forget against retain, one point a row."""
    forget = found.targets[0]
    points = []
    for number, row in enumerate(found.rows):
        x, y = found.score(row, forget), found.score(row, retain)
        role = row if row in (BASE, GOLD) else "method"
        points.append(Point(row, role, number, x.value, y.value))  # type: ignore[arg-type]
    return scatter(points, x_label=forget, y_label=retain, ident=f"plot-{retain}", size=(900, 640))


def interval_plot(found: Results, rows: Sequence[str]) -> Markup:
    """Every row on every probe with its 95 % interval; a line marks gold."""
    width, height = _NAMES + _PANEL * len(found.probes), _TOP + _LINE * len(rows) + 26
    parts = [part for number, row in enumerate(rows) for part in _name(row, number)]
    for place, probe in enumerate(found.probes):
        parts += _panel(found, rows, probe, _NAMES + _PANEL * place, height)
    description = "Share of right answers of each row on each probe, with 95 % intervals."
    return drawing("plot-intervals", (width, height), "Scores by probe", description, parts)


def _name(row: str, number: int) -> Iterator[Markup]:
    y = _TOP + _LINE * number + _LINE / 2
    yield element("text", short(row, 22), x=_NAMES - 10, y=y + 4, class_="tick end")


def _panel(bench_results: Results, rows: Sequence[str], probe: str, left: float, height: float) -> Iterator[Markup]:
    room, bottom = _PANEL - 18, height - 22
    yield element("text", probe, x=left + room / 2, y=18, class_="small mid")
    for share in (0.0, 0.5, 1.0):
        x = left + room * share
        yield element("path", d=f"M{x:.1f} {_TOP}V{bottom:.1f}", class_="grid")
        yield element("text", f"{100 * share:.0f}", x=x, y=bottom + 16, class_="tick mid")
    if GOLD in bench_results.rows:
        x = left + room * bench_results.score(GOLD, probe).value
        yield element("path", d=f"M{x:.1f} {_TOP}V{bottom:.1f}", class_="whisker gold")
    for number, row in enumerate(rows):
        estimate, y = bench_results.score(row, probe), _TOP + _LINE * number + _LINE / 2
        role = row if row in (BASE, GOLD) else f"c{bench_results.rows.index(row) % 8}"
        ends = f"M{left + room * estimate.low:.1f} {y:.1f}H{left + room * estimate.high:.1f}"
        yield element("path", d=ends, class_=f"whisker {role}")
        yield element("circle", cx=left + room * estimate.value, cy=y, r=4, class_=f"mark {role}")


def standalone(plot: Markup) -> str:
    """A plot as a file of its own, with the style sheet of the report inside."""
    style = Markup("<style>{}</style>").format(Markup(css()))
    opening, end, rest = str(plot).partition(">")
    opening = opening.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    return f"{opening}{end}{style}{rest}\n"


def css() -> str:
    """The report's style sheet."""
    return files("unsee.report").joinpath("page.css").read_text("utf-8").strip()
