"""`unsee report`: draw the page of a finished run again, or of several side by side, from their files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unsee.cli.output import AsJson, console, places, print_json, printable
from unsee.errors import InputError

if TYPE_CHECKING:
    from unsee.runs.finished import Run

EXAMPLES = """Examples:

unsee report runs/ada                    writes runs/ada/report.html anew

unsee report runs/ada --out ada.html     writes it somewhere else

unsee report runs/ada --gold MODEL       measures gold too, and keeps it in the run

unsee report runs/* --out all.html       several runs on one base and the same probes
"""


def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN", help="Folders that `unsee unlearn` wrote.", show_default=False)
    ],
    out: Annotated[
        Path | None, typer.Option(help="Where to write it; needed for several runs.", show_default="RUN/report.html")
    ] = None,
    gold: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL|RECORDS",
            help="Model that never learned what is to go, or a folder of its records, to be kept in the run.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw report.html of a finished run again, from its records; its data and pictures need not be there.

    Several runs on one base and the same probes come onto one page, which is written with --out.
    """
    from unsee.report.comparable import check_gold, opened

    if out is None and len({run.resolve() for run in runs}) > 1:
        raise InputError("several runs come onto one page, which belongs to none of their folders; give --out FILE")
    path, finished = out or runs[0] / "report.html", opened(runs)
    if gold is not None:
        finished = _with_gold(finished, gold)
    check_gold(finished)
    outcome = draw(finished, path)
    if as_json:
        print_json(outcome)
        return
    shown = console()
    shown.print(outcome["verdict"])
    if "lost" in outcome:
        shown.print(printable(outcome["lost"]))
    places(shown, report=path)


def _with_gold(runs: Sequence[Run], gold: str) -> list[Run]:
    """Runs with gold, which is asked once: the others take its records from the first."""
    from unsee.runs.gold import GOLD
    from unsee.runs.gold_added import with_gold

    first = with_gold(runs[0], gold)
    return [first, *(with_gold(run, str(first.folder / "records" / GOLD)) for run in runs[1:])]


def draw(runs: Sequence[Run], path: Path) -> dict[str, str]:
    """Write the page of a run, or of several that may stand side by side.

    Returns:
        report: where it is; verdict: one to three sentences; lost: what of the data or the pictures could not be read
        any more, where there is any.
    """
    from unsee.report import headline
    from unsee.report.assemble import data_lost, run_report, write_report
    from unsee.report.photo import Album
    from unsee.report.together import runs_report

    album = Album()
    page = run_report(runs[0], album) if len(runs) == 1 else runs_report(runs, album)
    write_report(page, path)
    lost = " ".join(filter(None, dict.fromkeys([*map(data_lost, runs), album.notice])))
    outcome = {"report": str(path), "verdict": headline(page).replace("\N{NO-BREAK SPACE}", " ")}
    return outcome | ({"lost": lost} if lost else {})
