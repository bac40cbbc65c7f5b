"""What commands print: tables for people, one JSON object for programs, and nothing that a terminal would obey."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from unsee.system.files import finite

if TYPE_CHECKING:
    from unsee.evaluation.metric import Metric

Mean = TypeVar("Mean")

WIDTH = 100  # columns of a table that goes to a file or a pipe

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else, on stdout.")]


def console() -> Console:
    """Where tables for people go: stdout, in colour only where it is a terminal and NO_COLOR is not set."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDTH
    return Console(width=width, highlight=False, emoji=False, markup=False)


def print_json(value: Any) -> None:
    """One JSON object on stdout; NaN and infinities become null, letters beyond ASCII escapes."""
    typer.echo(json.dumps(finite(value), indent=2, allow_nan=False))


def table(*columns: str, numbers: int = 0) -> Table:
    """An empty table in the house style; its last columns, as many as `numbers`, are set to the right."""
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for place, column in enumerate(columns):
        made.add_column(column, justify="right" if place >= len(columns) - numbers else "left", overflow="fold")
    return made


def printable(text: object) -> str:
    """Text of a stranger with whatever does not print (line breaks, escape codes, marks of direction) spelt out."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(text))


def percent(share: float | None) -> str:
    """0.063 -> "6.3 %", 1 -> "100 %"; a missing number is a dash."""
    if share is None or math.isnan(share):
        return "\N{EN DASH}"
    return f"{100 * share:.1f} %".replace("100.0", "100")


def amount(value: float | None, unit: str) -> str:
    """A number of a metric in its unit; a missing one is a dash."""
    if unit == "share" or value is None or math.isnan(value):
        return percent(value)
    return f"{value:.2f} {unit}"


def between(low: float | None, high: float | None, unit: str) -> str:
    """An interval in words; empty where there is none."""
    return "" if low is None or high is None else f"{amount(low, unit)} to {amount(high, unit)}"


def shown_metrics(means: Mapping[str, Mean], place: str) -> list[tuple[Metric, Mean]]:
    """The metrics that a table shows and there are means of, in their order."""
    from unsee.evaluation.registry import metrics

    return [(metric, means[name]) for name, metric in metrics().items() if place in metric.shown and name in means]


def show_scores(
    out: Console, models: Mapping[str, Mapping[str, Mapping[str, Any]]], roles: Mapping[str, str | None] | None = None
) -> None:
    """Print the share of right answers of each model on each probe, with its 95 % interval below.

    What is to stay is over all rows; other probes are over what the base knew. Where that differs, the share over the
    other choice of rows stands below, in brackets.

    Args:
        out: where to.
        models: model -> probe -> scores as `unsee.evaluation.scores.ProbeScore.to_dict` has them; the base comes first.
        roles: what each probe is for; none are known without it.
    """
    roles, base = roles or {}, next(iter(models.values()))
    names = [name.replace("_", "\n") for name in models]
    gated = any(of_base["left_out"] for of_base in base.values())
    made = table("probe", *names, "rows", *(["not\nknown"] if gated else []), numbers=len(models) + 1 + gated)
    for probe, of_base in base.items():
        stays = roles.get(probe) == "keep"
        cells = [_score(of_probe[probe], stays) for of_probe in models.values()]
        rows = of_base["n"] + (of_base["left_out"] if stays else 0)
        made.add_row(printable(probe), *cells, str(rows), *([str(of_base["left_out"])] if gated else []))
    out.print("Share of right answers, with its 95 % interval below", style="bold")
    out.print(made)
    out.print()
    if gated:
        out.print(
            "Rows about facts that the model did not know to begin with cannot be forgotten: they count only on probes "
            "that should stay. In brackets is the share with them, or there without them."
        )
    alone = {probe: scores.get("alone") for probe, scores in base.items() if roles.get(probe) != "keep"}
    if counted := ", ".join(f"{rows} of {printable(probe)}" for probe, rows in alone.items() if rows):
        out.print(f"Rows whose fact no other row asks for count whether the model knew it or not: {counted}.")


def show_metrics(out: Console, models: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """Print the further metrics of each model on each probe, of those that have any; arguments as of `show_scores`."""
    base = next(iter(models.values()))
    made = table("probe", "metric", *(name.replace("_", "\n") for name in models), numbers=len(models))
    for probe, of_base in base.items():
        for metric, _ in shown_metrics(of_base.get("metrics", {}), "unlearn"):
            means = [
                of_probe[probe].get("metrics", {}).get(metric.name, {}).get("score") for of_probe in models.values()
            ]
            made.add_row(printable(probe), metric.label, *(amount(mean, metric.unit) for mean in means))
    if made.row_count:
        out.print("Further metrics", style="bold")
        out.print(made)
        out.print()


def _score(score: Mapping[str, Any], stays: bool) -> Text:
    by, other = ("ungated", "score") if stays and score.get("ungated") is not None else ("score", "ungated")
    low, high = (score.get(f"ungated_{end}") if by == "ungated" else score[end] for end in ("low", "high"))
    cell = Text(percent(score[by]))
    if low is not None and high is not None:
        cell.append(f"\n{100 * low:.0f}\N{EN DASH}{100 * high:.0f}", style="dim")
    if score["left_out"] and score.get(other) is not None:
        cell.append(f"\n({percent(score[other])})", style="dim")
    return cell


def places(console: Console, **where: object) -> None:
    """Where things are, one per line, never broken: a path is there to be copied."""
    widest = max(map(len, where))
    for name, place in where.items():
        console.print(f"{name:<{widest}}  {printable(place)}", soft_wrap=True)
