"""`unsee data`: rows for those who have none."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unsee.cli import options
from unsee.cli.output import AsJson, console, places, print_json, table
from unsee.errors import InputError
from unsee.system import limits, processes

app = typer.Typer(name="data", help="Make rows that a method needs and you do not have.", no_args_is_help=True)

EXAMPLES = """Examples:

unsee data retain --model MODEL --images other_photos --forget forget.jsonl --out retain.jsonl

unsee data retain --model MODEL --out retain.jsonl            general questions in words alone

unsee data retain --model MODEL --images other_photos --questions mine.txt --out retain.jsonl
"""


@app.callback()
def _data() -> None:
    """Keep `retain` a command of its own: typer makes the only command of an app its main one."""


@app.command("retain", epilog=EXAMPLES)
def retain(
    model: Annotated[str, typer.Option(help="Folder or hub id of the model that answers.", show_default=False)],
    out: Annotated[Path, typer.Option(help="File of rows to be written: .jsonl.", show_default=False)],
    images: Annotated[
        Path | None, typer.Option(help="Folder of other pictures, to be asked about.", show_default=False)
    ] = None,
    forget: Annotated[
        str | None,
        typer.Option(help="What is to be forgotten: its pictures and subjects are kept out.", show_default=False),
    ] = None,
    questions: Annotated[
        Path | None,
        typer.Option(help="Questions about the pictures, one per line.", show_default="eight of our own"),
    ] = None,
    per_picture: Annotated[int, typer.Option(min=1, max=limits.ROWS, help="Questions per picture, in turn.")] = 2,
    words: Annotated[bool, typer.Option("--words/--no-words", help="Ask general questions without a picture.")] = True,
    max_new_tokens: Annotated[
        int, typer.Option(min=1, max=limits.TOKENS, help="Longer answers are left out.")
    ] = limits.NEW_TOKENS,
    batch_size: Annotated[int, typer.Option(min=1, max=limits.ROWS, help="Rows per forward pass.")] = 16,
    dtype: options.DType = "float32",
    trust_remote_code: options.TrustRemoteCode = False,
    as_json: AsJson = False,
) -> None:
    """Make retain rows from what the model says about other pictures and to plain questions (self-distillation)."""
    if images is None and not words:
        raise InputError("--no-words leaves nothing to ask about; give --images FOLDER")
    from unsee.data import load_examples
    from unsee.mining.self_distillation import IN_WORDS, Asking, make_retain

    asking = Asking(
        model,
        out,
        images=images,
        per_picture=per_picture,
        questions=_lines(questions) if questions else None,
        in_words=IN_WORDS if words else (),
        forget=load_examples(forget) if forget else (),
        batch_size=batch_size,
        max_new_tokens=max_new_tokens,
        dtype=dtype,
        trust_remote_code=trust_remote_code,
    )
    processes.tell_of_spare_devices()
    made = make_retain(asking)
    if not processes.is_main():
        return
    if as_json:
        print_json({**made, "file": str(out)})
        return
    shown, counts = console(), table("", "", numbers=1)
    counts.add_row("questions asked", f"{made['asked']:,}")
    for reason, count in made["left_out"].items():
        counts.add_row(f"left out: {reason}", f"{count:,}")
    counts.add_row("rows", f"{made['rows']:,}")
    shown.print(counts)
    places(shown, rows=out, next=f"unsee unlearn --model {model} --forget FORGET --retain {out} --out runs/first")


def _lines(path: Path) -> list[str]:
    from unsee.system.files import read_text

    lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    if not lines:
        raise InputError(f"--questions {path}: holds no questions; write one per line")
    return lines
