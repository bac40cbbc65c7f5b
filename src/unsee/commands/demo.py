"""`unsee demo`: everything in one go, on people and models that it makes itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from unsee.commands.output import AsJson, console, places, print_json, show_scores
from unsee.errors import InputError, did_you_mean

EXAMPLES = """Examples:

unsee demo                            a model forgets three people of thirty, by four methods

unsee demo person --out mine --seed 1 --people 20
"""


def demo(
    name: Annotated[str, typer.Argument(help="Which demo: person.")] = "person",
    out: Annotated[Path, typer.Option(help="Folder for report.html, summary.json, the data and the runs.")] = Path(
        "unsee-demo"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Of the world and of every training.")] = 0,
    people: Annotated[int, typer.Option(min=1, help="How many private people live in the world.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Make a small model forget people, by four methods. No downloads.

    Draws fictitious people, trains a model that knows them and one (gold) that never saw those to be forgotten,
    unlearns with every method and measures all of them on held-out photographs and questions. A demo that was
    interrupted goes on when the same command is started again.
    """
    from unsee.demo import DEMOS

    if name not in DEMOS:
        raise InputError(f"demo: {name!r} is unknown{did_you_mean(name, DEMOS)}; choose {' or '.join(DEMOS)}")
    summary = DEMOS[name](out, seed=seed, people=people)
    if as_json:
        print_json(summary)
    else:
        _show(summary, out)


def _show(summary: dict[str, Any], out: Path) -> None:
    shown = console()
    show_scores(shown, summary["models"])
    shown.print(f"Done in {summary['seconds']['total']:.0f} s. Gold is the target: it never saw what was to go.")
    places(shown, summary=out / "summary.json", report=out / "report.html")
