"""`unsee report`: draw the page of a finished run again, from its files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unsee.cli.output import AsJson, console, places, print_json, printable

if TYPE_CHECKING:
    from unsee.runs.finished import Run

EXAMPLES = """Examples:

unsee report runs/ada                    writes runs/ada/report.html anew

unsee report runs/ada --out ada.html     writes it somewhere else

unsee report runs/ada --gold MODEL       measures gold too, and keeps it in the run
"""


def report(
    run: Annotated[Path, typer.Argument(help="Folder that `unsee unlearn` wrote.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Where to write it.", show_default="RUN/report.html")] = None,
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
    """Draw report.html of a finished run again, from its records; its data and pictures need not be there."""
    from unsee.runs.finished import open_run

    path, opened = out or run / "report.html", open_run(run)
    if gold is not None:
        from unsee.runs.gold_added import with_gold

        opened = with_gold(opened, gold)
    found = draw(opened, path)
    if as_json:
        print_json(found)
        return
    shown = console()
    shown.print(found["verdict"])
    if "lost" in found:
        shown.print(printable(found["lost"]))
    places(shown, report=path)


def draw(run: Run, path: Path) -> dict[str, str]:
    """Write the page of a run.

    Returns:
        report: where it is; verdict: one to three sentences; lost: what of the data or the pictures could not be read
        any more, where there is any.
    """
    from unsee.report import headline
    from unsee.report.assemble import data_lost, run_report, write_report
    from unsee.report.photo import Album

    album = Album()
    page = run_report(run, album)
    write_report(page, path)
    lost = " ".join(filter(None, [data_lost(run), album.notice]))
    found = {"report": str(path), "verdict": headline(page).replace("\N{NO-BREAK SPACE}", " ")}
    return found | ({"lost": lost} if lost else {})
