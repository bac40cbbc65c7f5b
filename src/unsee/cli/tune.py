"""`unsee tune`: a small search for learning rate and steps, on a part of the user's own rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from unsee.cli import options
from unsee.cli.output import AsJson, console, percent, places, print_json, printable, table
from unsee.cli.unlearn import merged_settings

EXAMPLES = """Examples:

unsee tune --model MODEL --forget ada.jsonl --retain others.jsonl --method npo --lora 16 --out runs/tuned

unsee tune ada.yaml --out runs/tuned --budget 5 --minutes 60

unsee unlearn runs/tuned/best.yaml --forget-probe new_photos=held_out.jsonl     the run with what was found
"""


def tune(
    settings_file: options.SettingsFile = None,
    model: options.Model = None,
    forget: options.Forget = None,
    retain: options.Retain = None,
    preserve: options.Preserve = None,
    method: options.Method = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the search; an unfinished one goes on.", show_default=False)
    ] = None,
    parts: options.Parts = None,
    lora: options.Lora = None,
    assignments: options.Assignments = None,
    budget: Annotated[int, typer.Option(help="Configurations to be tried, 1 to 9; the middle ones first.")] = 9,
    minutes: Annotated[
        float | None, typer.Option(min=0, help="Begin none after so many.", show_default="no limit")
    ] = None,
    trust_remote_code: options.TrustRemoteCode = False,
    as_json: AsJson = False,
) -> None:
    """Find a learning rate and a number of steps on a part of your rows that is held out.

    Rates and steps around those that the run would have are tried. The one is taken that leaves least of the held-out
    forget rows while held-out retain rows stay within 5 points of the model before. Probes are never looked at.
    `best.yaml` is the run with what was found, for `unsee unlearn`.
    """
    flags = {
        "model": model,
        "forget": forget,
        "retain": retain,
        "preserve": preserve,
        "method": method,
        "out": str(out) if out else None,
        "parts": parts,
        "lora": lora,
        "trust_remote_code": trust_remote_code or None,
    }
    settings = merged_settings(settings_file, flags, assignments or [])
    from unsee.leaderboard.tuning import tune as search

    result = search(settings, budget, minutes)
    if as_json:
        print_json(result)
    else:
        _show(result)


def _show(result: dict[str, Any]) -> None:
    shown = console()
    made = table("", "learning_rate", "steps", "forget rows,\nright", "probability", "retain rows,\nright", numbers=5)
    base = result["base"]
    made.add_row("before", "", "", *_cells(base))
    for place, trial in enumerate(result["tried"]):
        mark = "chosen" if place == result["chosen"] else ""
        cells = (printable(trial["failed"]), "", "") if "failed" in trial else _cells(trial)
        made.add_row(mark, f"{trial['learning_rate']:g}", str(trial["max_steps"]), *cells)
    shown.print("What each left of the held-out rows", style="bold")
    shown.print(made)
    shown.print()
    for note in result["notes"]:
        shown.print(printable(note))
    if not result["keeps"]:
        shown.print(
            "None kept the held-out retain rows within 5 points of the model before; the nearest to that is taken."
        )
    places(shown, settings=result["settings"])


def _cells(scores: dict[str, Any]) -> tuple[str, str, str]:
    return percent(scores["forget"]), f"{scores['forget_probability']:.3f}", percent(scores.get("retain"))
