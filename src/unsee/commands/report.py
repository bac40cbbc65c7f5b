"""`unsee report`: draw the page of a finished run again, from its files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unsee.commands.output import AsJson, console, places, print_json

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
    from unsee.report import headline
    from unsee.report.assemble import run_report, write_report
    from unsee.run import open_run

    path = out or run / "report.html"
    page = run_report(open_run(run))
    write_report(page, path)
    if as_json:
        print_json({"report": str(path), "verdict": headline(page)})
        return
    shown = console()
    shown.print(headline(page))
    places(shown, report=path)
