"""`unsee world`: the embedded world as files that any program reads."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from unsee.cli.output import AsJson, console, places, print_json, table
from unsee.system import limits

app = typer.Typer(name="world", help="Fictitious people, in the place of a published benchmark.", no_args_is_help=True)

EXAMPLES = """Examples:

unsee world export --layout clear --out world        as large as CLEAR: 200 people, about 3,700 photographs

unsee world export --layout mllmu --people 50 --out small
"""


@app.command("export", epilog=EXAMPLES)
def export_command(
    out: Annotated[Path, typer.Option(help="A folder that does not exist yet.", show_default=False)],
    layout: Annotated[str, typer.Option(help="Whose files: clear, fiubench, mllmu or umu.")] = "clear",
    people: Annotated[int, typer.Option(help="Private people; a fifth as many celebrities come on top.")] = 200,
    seed: Annotated[int, typer.Option(min=0, max=limits.SEED, help="The same seed gives the same people.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Write the world with the same configurations, columns and types as a published benchmark."""
    summary = write(out, layout, people, seed)
    if as_json:
        print_json(summary)
        return
    made = table("configuration", "rows", numbers=1)
    for config, rows in summary["rows"].items():
        made.add_row(config, str(rows))
    shown = console()
    shown.print(made)
    shown.print(f"{summary['pictures']} photographs of {people} people")
    places(shown, folder=summary["folder"], next=summary["next"])


MODELS_EXAMPLES = """Examples:

unsee world models world                             base and gold for forget10, visual

unsee world models world --split forget05 --request both --json
"""


@app.command("models", epilog=MODELS_EXAMPLES)
def models_command(
    folder: Annotated[Path, typer.Argument(help="What export --layout clear wrote.", show_default=False)],
    split: Annotated[str, typer.Option(help="Who is forgotten: forget01, forget05 or forget10.")] = "forget10",
    request: Annotated[str, typer.Option(help="What gold goes without: visual, textual or both.")] = "visual",
    as_json: AsJson = False,
) -> None:
    """Train a base that knows the whole export, and the gold of a request; both stay in the cache."""
    from unsee.world.layouts.exported import prepare_exported

    models = prepare_exported(folder, split, request)
    if as_json:
        print_json({"base": str(models.base), "gold": str(models.gold), "from_cache": models.from_cache})
    else:
        places(console(), base=models.base, gold=models.gold)


START_EXAMPLES = """Examples:

unsee world start world --family llava --out start           for an export in any layout

unsee world start rows.jsonl --family qwen2_5_vl --out start

unsee train --model start --benchmark clear --source world --role base --learn-probes --parts projector,language \\
    --until 0.95 --out base
"""


@app.command("start", epilog=START_EXAMPLES)
def start_command(
    source: Annotated[Path, typer.Argument(help="What export wrote, or a file of rows.", show_default=False)],
    out: Annotated[Path, typer.Option(help="A folder that does not exist yet.", show_default=False)],
    family: Annotated[str, typer.Option(help="llava or qwen2_5_vl.")] = "llava",
    seed: Annotated[int, typer.Option(min=0, max=limits.SEED, help="Of the weights.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Write a tiny checkpoint that knows nothing yet, for `unsee train` to make base and gold from."""
    from unsee.world.start import start

    made = start(source, family, out, seed)
    data = f"--benchmark {made.layout} --source" if made.layout else "--data"
    role = " --role base --learn-probes" if made.layout else ""
    begun, taught = shlex.quote(str(out)), shlex.quote(str(source))
    frozen = " --parts projector,language" if family == "llava" else ""  # its image encoder has seen faces already
    following = f"unsee train --model {begun} {data} {taught}{role}{frozen} --until 0.95 --out base"
    summary = {"folder": str(made.folder), "rows": made.rows, "tokens": made.words, "next": following}
    if as_json:
        print_json(summary)
        return
    console().print(f"Random weights, and a tokenizer of {made.words:,} tokens from {made.rows:,} rows.")
    places(console(), folder=summary["folder"], next=following)


def write(out: Path, layout: str, people: int, seed: int) -> dict[str, Any]:
    """What `unsee world export --json` prints.

    Raises:
        InputError: for an unknown layout, too few or too many people, or a folder that exists.
    """
    from unsee.world import World
    from unsee.world.layouts.export import export

    done = export(World(seed=seed, people=people), layout, out)
    data = shlex.quote(f"{out}-data")
    return {
        "folder": str(done.folder),
        "rows": done.rows,
        "pictures": done.pictures,
        "next": f"unsee benchmark write {layout} {shlex.quote(str(out))} --out {data}",
    }
