"""`unsee report`: draw the page of a finished run again, from its files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unsee.commands.output import AsJson, console, places, print_json

if TYPE_CHECKING:
    from unsee.run import Run

EXAMPLES = """Examples:

unsee report runs/ada                    writes runs/ada/report.html anew

unsee report runs/ada --out ada.html     writes it somewhere else
"""


def report(
    run: Annotated[Path, typer.Argument(help="Folder that `unsee unlearn` wrote.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Where to write it.", show_default="RUN/report.html")] = None,
    as_json: AsJson = False,
) -> None:
    """Draw report.html of a finished run again, from its records."""
    from unsee.run import open_run

    path = out or run / "report.html"
    found = {"report": str(path), "verdict": draw(open_run(run), path)}
    if as_json:
        print_json(found)
        return
    shown = console()
    shown.print(found["verdict"])
    places(shown, report=path)


def draw(run: Run, path: Path) -> str:
    """Write the page of a run; returns its verdict in one to three sentences."""
    from unsee.report import headline
    from unsee.report.assemble import run_report, write_report

    page = run_report(run)
    write_report(page, path)
    return headline(page).replace("\N{NO-BREAK SPACE}", " ")
