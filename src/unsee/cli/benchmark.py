"""`unsee benchmark`: published benchmarks as data that `unsee unlearn` takes, and what is odd about them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unsee.benchmarks import built_in
from unsee.cli import options
from unsee.cli.output import AsJson, console, places, print_json, printable, table
from unsee.cli.prepared import Start, write
from unsee.cli.scored import score, steps_in
from unsee.system import limits

if TYPE_CHECKING:
    from unsee.benchmarks.spec import Scores

app = typer.Typer(name="benchmark", help="Published benchmarks: list, check, prepare, score.", no_args_is_help=True)

CHECK_EXAMPLES = """Examples:

unsee benchmark check clear CLEAR                     a folder in the layout of therem/CLEAR

unsee benchmark check mllmu MLLMU-Bench --json

Ends with exit code 1 if there are errors; notes are for the reader of results.
"""
WRITE_EXAMPLES = """Examples:

unsee benchmark write clear therem/CLEAR --split forget05 --request both --out data

unsee benchmark write mllmu MLLMU-Bench --training baseline_train_split --out data

unsee benchmark write tofu locuslab/TOFU --out data

unsee benchmark write pulse MLLMU-Bench --model MODEL --sequence 5 --out data

unsee unlearn data/data.yaml --model MODEL --out runs/npo
"""

SCORE_EXAMPLES = """Examples:

unsee benchmark score clear runs/npo/records/npo --gold runs/gold/records/base

unsee benchmark score mllmu runs/npo/records/npo --json

unsee benchmark score pulse data/runs                  after each request of a sequence
"""

LIST_EXAMPLES = """Examples:

unsee benchmark list                                  what can be forgotten in each of them

unsee benchmark list examples/birds.py:SPEC --json    one that a file of yours holds
"""

KINDS = f"{', '.join(built_in())}, that of an installed package, or FILE.py:NAME."
Kind = Annotated[str, typer.Argument(help=KINDS, show_default=False)]
PROBLEMS = 1


@app.command("list", epilog=LIST_EXAMPLES)
def list_command(
    kind: Annotated[str | None, typer.Argument(help=f"Only this one: {KINDS}", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """The benchmarks: their papers, what can be forgotten in each, and what where nobody says."""
    from unsee.benchmarks import names

    listed = {about["name"]: about for about in map(describe, [kind] if kind else names())}
    if as_json:
        print_json(listed)
        return
    shown = console()
    for name, about in listed.items():
        whence = f", from {about['from']}" if about["from"] else ""
        shown.print(printable(f"{name:<8} {about['title']} ({about['paper']}){whence}"), soft_wrap=True)
        for what in ("split", "request"):
            others = [choice for choice in about[f"{what}s"] if choice != about[what]]
            choices = ", ".join([f"{about[what]} (the default)", *others])
            shown.print(printable(f"{'':<8} --{what} {choices}"), soft_wrap=True)


def describe(kind: str) -> dict[str, Any]:
    """What `unsee benchmark list --json` prints of one benchmark.

    Raises:
        InputError: for an unknown one, and for one from outside that does not fit.
    """
    from unsee.benchmarks import find, source_of

    spec = find(kind)
    return {
        "name": spec.name,
        "title": spec.title,
        "paper": spec.paper,
        "splits": list(spec.splits),
        "split": spec.split,
        "requests": list(spec.requests),
        "request": spec.request,
        "scored": spec.score is not None,
        "from": source_of(kind) or None,
    }


@app.command("check", epilog=CHECK_EXAMPLES)
def check_command(
    kind: Kind,
    source: Annotated[Path, typer.Argument(help="A folder in the layout of the hub.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Read a benchmark through: columns, types, counts, pictures, sets that overlap, known anomalies."""
    report = check(kind, source)
    errors = sum(finding["level"] == "error" for finding in report["findings"])
    if as_json:
        print_json(report)
    else:
        made = table("configuration", "rows", numbers=1)
        for config, rows in report["rows"].items():
            made.add_row(config, str(rows))
        shown = console()
        shown.print(made)
        shown.print()
        odd = table("level", "where", "what")
        for finding in report["findings"]:
            odd.add_row(finding["level"], printable(finding["where"]), printable(finding["message"]))
        if report["findings"]:
            shown.print(odd)
        shown.print(f"errors: {errors}, notes: {len(report['findings']) - errors}")
    if errors:
        raise typer.Exit(PROBLEMS)


@app.command("write", epilog=WRITE_EXAMPLES)
def write_command(
    kind: Kind,
    source: Annotated[str, typer.Argument(help="A folder in the layout of the hub, or a hub id.", show_default=False)],
    out: Annotated[Path, typer.Option(help="A folder that does not exist yet.", show_default=False)],
    split: Annotated[
        str | None,
        typer.Option(help="Who is forgotten, such as forget05 or forget_10.", show_default="see unsee benchmark list"),
    ] = None,
    request: Annotated[
        str | None, typer.Option(help="visual, textual or both.", show_default="see unsee benchmark list")
    ] = None,
    probe_rows: Annotated[
        int | None, typer.Option(min=1, help="At most so many rows per probe, spread evenly.", show_default=False)
    ] = None,
    training: Annotated[
        str | None,
        typer.Option(help="MLLMU-Bench: where the training questions are, if not in ft_Data.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=limits.SEED, help="Of wordings and the order of options.")] = 0,
    model: Annotated[
        str | None,
        typer.Option(help="Model of the settings; that of pulse is asked whom it knows.", show_default=False),
    ] = None,
    sequence: Annotated[
        int, typer.Option(min=1, help="Forget the people in so many requests, one after the other.")
    ] = 1,
    dtype: options.DType = "float32",
    trust_remote_code: options.TrustRemoteCode = False,
    allow_anomalies: Annotated[
        bool, typer.Option("--allow-anomalies", help="Write a copy that is not whole, and say what is wrong with it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write forget, retain, preserve and probes as files, with the settings that name them all."""
    chosen = {"split": split, "request": request, "probe_rows": probe_rows, "training": training, "seed": seed}
    start = Start(model, sequence, dtype, trust_remote_code)
    summary = write(kind, source, out, allow_anomalies, start, **chosen)
    if as_json:
        print_json(summary)
        return
    shown = console()
    if "known" in summary:
        shown.print(printable(f"The model knows {len(summary['known'])} people: {summary['rule']}."), soft_wrap=True)
    for part in summary.get("requests", [summary]):
        made = table("set", "rows", "measured on training rows", numbers=1)
        made.columns[1].justify, made.columns[2].justify = "right", "left"
        for name, rows in part["rows"].items():
            made.add_row(name, str(rows), "yes" if name in part["trained_on"] else "")
        shown.print(part["benchmark"], style="bold")
        shown.print(made)
    for line in summary["anomalies"]:
        shown.print(printable(f"anomaly: {line}"), soft_wrap=True)
    places(shown, settings=summary["settings"], next=summary["next"])


@app.command("score", epilog=SCORE_EXAMPLES)
def score_command(
    kind: Kind,
    records: Annotated[
        Path,
        typer.Argument(
            help="The records of one model in a run: RUN/records/NAME. Or the folder of the runs of a sequence.",
            show_default=False,
        ),
    ],
    gold: Annotated[
        Path | None,
        typer.Option(help="Records of the gold model, for forget quality (clear, fiubench).", show_default=False),
    ] = None,
    truth_ratio: Annotated[
        str, typer.Option(help="How a truth ratio averages the wrong answers: geometric, arithmetic or clear_repo.")
    ] = "geometric",
    as_json: AsJson = False,
) -> None:
    """The published numbers of a benchmark from the records of a run, without a model."""
    if steps := steps_in(records):
        after = {step: score(kind, place, gold, truth_ratio) for step, place in steps.items()}
        name = next(iter(after.values()))[0]
        if as_json:
            print_json({"benchmark": name, "steps": {step: _in_full(found) for step, (_, found) in after.items()}})
        else:
            _show_steps({step: found for step, (_, found) in after.items()})
        return
    name, scores = score(kind, records, gold, truth_ratio)
    if as_json:
        print_json({"benchmark": name, **_in_full(scores)})
    else:
        _show(scores)


def _in_full(scores: Scores) -> dict[str, Any]:
    return {**scores.splits, **scores.numbers, "tasks": scores.tasks}


def _show(scores: Scores) -> None:
    shown = console()
    for number, value in scores.numbers.items():
        shown.print(f"{number} {_number(value)}")
    for group, numbers in scores.splits.items():
        shown.print(f"{group}: " + ", ".join(f"{split} {_number(value)}" for split, value in numbers.items()))
    columns = sorted({column for numbers in scores.tasks.values() for column in numbers})
    made = table("probe", *columns, numbers=len(columns))
    for probe, numbers in scores.tasks.items():
        made.add_row(printable(probe), *(_number(numbers.get(column)) for column in columns))
    shown.print(made)


def _show_steps(scores: Mapping[str, Scores]) -> None:
    """What became of a sequence of requests, after each of them: its numbers, or all of its probes without any."""
    names = list(next(iter(scores.values())).numbers)
    made = table("after", *names, numbers=len(names))
    made.columns[0].no_wrap = True
    for step, found in scores.items():
        if names:
            made.add_row(printable(step), *(_number(found.numbers.get(name)) for name in names))
        else:
            console().print(printable(step), style="bold")
            _show(found)
    if names:
        console().print(made)


def _number(value: float | int | None) -> str:
    if value is None or math.isnan(value):
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def check(kind: str, source: Path) -> dict[str, Any]:
    """What `unsee benchmark check --json` prints.

    Raises:
        InputError: for an unknown kind, or a folder that holds no such benchmark.
    """
    from unsee.benchmarks import find
    from unsee.benchmarks.validate import validate

    spec = find(kind)
    rows, findings = validate(source, spec)
    return {"benchmark": spec.name, "folder": str(source), "rows": rows, "findings": list(map(asdict, findings))}
