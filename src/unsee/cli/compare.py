"""`unsee compare`: several runs in one table."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from unsee.cli.output import AsJson, console, places, print_json

EXAMPLES = """Examples:

unsee compare runs/npo runs/idk runs/ascent

unsee compare runs/* --table latex --out table.tex

unsee compare runs/* --table csv         one line for each model, probe and metric
"""


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Folders that `unsee unlearn` wrote.", show_default=False)],
    table: Annotated[Literal["md", "csv", "latex"], typer.Option(help="Markdown, CSV or LaTeX.")] = "md",
    out: Annotated[Path | None, typer.Option(help="File to write it to.", show_default="stdout")] = None,
    as_json: AsJson = False,
) -> None:
    """Put runs on one base and the same probes in one table: base, gold where there is one, and a row for each run.

    Runs of one method are told apart by their folders. Shares are in percent with their 95 % intervals; of what is to
    be forgotten over what the base knew, of what is to be kept over everything.
    """
    from unsee.report.compare import compare as compared
    from unsee.report.tables import TABLES
    from unsee.system.files import write_text

    comparison = compared(runs)
    if out is not None:
        write_text(out, TABLES[table](comparison))
    if as_json:
        print_json({**asdict(comparison), **({"table": str(out)} if out else {})})
    elif out is not None:
        places(console(), table=out)
    else:
        typer.echo(TABLES[table](comparison), nl=False)
