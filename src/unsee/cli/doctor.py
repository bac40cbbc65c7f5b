"""`unsee doctor`: is this machine ready, and does this model understand this data?"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from unsee.cli import options
from unsee.cli.output import AsJson, console, print_json, printable, table

if TYPE_CHECKING:
    from unsee.cli.diagnosis import Diagnosis
    from unsee.cli.environment import Check

EXAMPLES = """Examples:

unsee doctor                                      the machine alone

unsee doctor --model MODEL --data forget.jsonl    and every row
"""


def doctor(
    model: Annotated[
        str | None, typer.Option(help="Folder or hub id of a model to look at.", show_default=False)
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Rows to look at, the first one in full; FOLDER#SPLIT names a split.", show_default=False),
    ] = None,
    trust_remote_code: options.TrustRemoteCode = False,
    as_json: AsJson = False,
) -> None:
    """Check this machine, and what a model would make of your data.

    With a model: its parts, the memory that training takes, its processor. With data: every row and picture is read.
    With both: whether the model can be asked every row, and the first one as the chat template writes it, token by
    token, and which of them are labels. The exit code is 1 when there are problems.
    """
    from unsee.cli.environment import environment

    checks = environment()
    diagnosis = _diagnosis(model, data, trust_remote_code) if model or data else None
    problems = diagnosis.problems if diagnosis else []
    if as_json:
        details = asdict(diagnosis) if diagnosis else {}
        print_json({"environment": [asdict(check) for check in checks], **details, "problems": problems})
    else:
        _show(checks, diagnosis)
    if problems:
        raise typer.Exit(1)


def _diagnosis(model: str | None, data: str | None, trust_remote_code: bool) -> Diagnosis:
    from unsee.cli.diagnosis import diagnose

    return diagnose(model, data, trust_remote_code)


def _show(checks: list[Check], diagnosis: Diagnosis | None) -> None:
    out = console()
    _show_environment(out, checks)
    if diagnosis is None:
        return
    if diagnosis.model:
        _show_model(out, diagnosis.model)
    if diagnosis.data:
        facts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in diagnosis.data.items())
        out.print(f"data: {facts}\n")
    if diagnosis.row:
        _show_row(out, diagnosis.row)
    for notice in diagnosis.notices:
        out.print(Text("note: ", style="bold yellow").append(Text(printable(notice), style="default")))
    for problem in diagnosis.problems:
        out.print(Text("problem: ", style="bold red").append(Text(printable(problem), style="default")))
    if not diagnosis.problems:
        out.print("no problems found", style="bold green")


def _show_environment(out: Console, checks: list[Check]) -> None:
    made = table("", "found", "")
    for check in checks:
        verdict = Text("ok", style="green") if check.ok else Text(f"warning: {check.remedy}", style="yellow")
        made.add_row(check.name, printable(check.found), verdict)
    out.print(made)
    out.print()


def _show_model(out: Console, model: dict[str, Any]) -> None:
    from unsee.cli.diagnosis import DISK, FORMULAE

    out.print(f"{model['class']} with {model['processor']}", style="bold")
    total = sum(model["parameters"].values())
    made = table("part", "parameters", "share", numbers=2)
    for part, count in model["parameters"].items():
        made.add_row(part, f"{count:,}", f"{100 * count / total:.1f} %")
    made.add_row("all", f"{total:,}", "")
    out.print(made)
    out.print()
    made = table("memory", "GB", "formula, in bytes; activations come on top")
    for purpose, size in model["memory_gb"].items():
        made.add_row(purpose, f"{size:.3g}", FORMULAE[purpose])
    out.print(made)
    out.print()
    made = table("disk of a run", "GB", "formula, in bytes", numbers=1)
    for purpose, size in model["disk_gb"].items():
        made.add_row(purpose, f"{size:.3g}", DISK[purpose])
    out.print(made)
    out.print()
    turns = ", ".join(f"{token} {text!r}" for token, text in model["end_of_turn"].items())
    facts = {
        "end of turn": turns,
        "image token": model["image_token"],
        "images": ", ".join(f"{key} {_size(value)}" for key, value in model["image_size"].items()),
        "longest sequence": model["longest_sequence"],
    }
    for name, fact in facts.items():
        out.print(f"{name:<17} {printable(fact)}")
    out.print()


def _size(value: Any) -> str:
    return " ".join(f"{name}={number}" for name, number in value.items()) if isinstance(value, dict) else str(value)


def _show_row(out: Console, row: dict[str, Any]) -> None:
    out.print(f"row {row['number']} as the chat template writes it", style="bold")
    out.print(_template(row["template"]["prompt"], row["template"]["with_answer"]))
    out.print()
    out.print(f"prompt: {row['prompt_tokens']} tokens, {row['image_tokens']} of them image; never trained on")
    out.print(Text(" ".join(_token(run) for run in row["prompt"]), style="dim"))
    if row["image"]:
        shapes = ", ".join(f"{name} {shape}" for name, shape in row["image_tensors"].items())
        out.print(f"image: {row['image']} pixels become {shapes}")
    out.print(f"labels: {len(row['labels'])} tokens, what is forgotten or kept")
    out.print(Text(" ".join(_token(label) for label in row["labels"]), style="bold green"))
    out.print()


def _template(prompt: str, whole: str) -> Text:
    """The prompt greyed, the answer highlighted; line breaks are kept as they are part of the template."""
    tail = whole[len(prompt) :] if whole.startswith(prompt) else whole
    made = Text()
    for part, style in ((prompt, "dim"), (tail, "bold green")):
        made.append("\n".join(map(printable, part.split("\n"))), style=style)
    return made


def _token(token: dict[str, Any]) -> str:
    times = f"x{token['times']}" if token.get("times", 1) > 1 else ""
    return f"{token['id']}:{token['text']!r}{times}"
