"""`unsee demo`: everything in one go, on people and models that it makes itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from unsee.cli.output import AsJson, console, percent, places, print_json, show_scores, table
from unsee.errors import InputError, did_you_mean
from unsee.system import limits

EXAMPLES = """Examples:

unsee demo                            a model forgets three people of thirty, by four methods

unsee demo person --out mine --seed 1 --people 20

unsee demo hallucination              a captioner stops hallucinating objects, by EFUF
"""


def demo(
    name: Annotated[str, typer.Argument(help="Which demo: person or hallucination.")] = "person",
    out: Annotated[Path, typer.Option(help="Folder for report.html, summary.json, the data and the runs.")] = Path(
        "unsee-demo"
    ),
    seed: Annotated[int, typer.Option(min=0, max=limits.SEED, help="Of the world and of every training.")] = 0,
    people: Annotated[
        int | None,
        typer.Option(min=1, max=limits.PEOPLE, help="How many private people live in the world.", show_default="30"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a small model forget people, or stop hallucinating objects. No downloads.

    Person draws fictitious people, trains a model that knows them and one (gold) that never saw those to be forgotten,
    unlearns with every method and measures all of them on held-out photographs and questions.
    Hallucination trains a captioner that mentions what is usually there, finds out by a CLIP what it hallucinates, and
    unlearns that. A demo that was interrupted goes on when the same command is started again.
    """
    from unsee.demos.person import DEMOS

    if name not in DEMOS:
        raise InputError(f"demo: {name!r} is unknown{did_you_mean(name, DEMOS)}; choose {' or '.join(DEMOS)}")
    if people is not None and name != "person":
        raise InputError(f"--people: the demo {name} has none; leave it out")
    own = {"people": people or 30} if name == "person" else {}
    summary = DEMOS[name](out, seed=seed, **own)
    if as_json:
        print_json(summary)
    elif name == "hallucination":
        _show_hallucination(summary, out)
    else:
        _show(summary, out)


def _show(summary: dict[str, Any], out: Path) -> None:
    shown = console()
    show_scores(shown, summary["models"], summary["roles"])
    shown.print(f"Done in {summary['seconds']['total']:.0f} s. Gold is the target: it never saw what was to go.")
    places(shown, summary=out / "summary.json", report=out / "report.html")


def _show_hallucination(summary: dict[str, Any], out: Path) -> None:
    shown = console()
    columns = {
        "chair_s": "CHAIR_S",
        "chair_s_matched": "matched",
        "chair_i": "CHAIR_I",
        "chair_i_matched": "matched",
        "recall": "recall",
        "mean_words": "words",
        "pope_f1": "POPE F1",
    }
    made = table("model", *columns.values(), numbers=len(columns))
    for model, numbers in summary["models"].items():
        cells = (f"{numbers[key]:.1f}" if key == "mean_words" else percent(numbers[key]) for key in columns)
        made.add_row(model, *cells)
    shown.print("What captions hallucinate; matched: cut to the length of the base's", style="bold")
    shown.print(made)
    shown.print()
    labels = summary["labels"]
    shown.print(
        f"Of the phrases taken for hallucinated {percent(labels['precision'])} are, and these are "
        f"{percent(labels['recall'])} of all that is hallucinated."
    )
    shown.print(f"Done in {summary['seconds']:.0f} s.")
    places(shown, summary=out / "summary.json", report=out / "report.html")
