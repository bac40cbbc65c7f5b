"""`unsee bench`: methods compared under equal budgets, over seeds, beside controls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unsee.cli.output import AsJson, console, percent, places, print_json, printable, table
from unsee.errors import InputError
from unsee.system import limits

if TYPE_CHECKING:
    from unsee.leaderboard.plan import Plan
    from unsee.types import Request

EXAMPLES = """Examples:

unsee bench --out board               every method, nine configurations each, three seeds: over an hour

unsee bench --out board --methods grad_diff,npo,mmunlearner --seeds 0,1

unsee bench --out board --methods npo,mine.py:Mine     beside a method of your own

unsee bench --out board --shard 2/8   the second of eight programs, on one machine or many, that share the folder

unsee bench --out board --ray auto    on the Ray cluster that this machine has joined

unsee bench plan.yaml --out board     on a model and a benchmark, or rows, of yours

unsee bench --out board --dry-run     what would be done
"""


def bench(
    out: Annotated[Path, typer.Option(help="Folder for the leaderboard and all that it rests on.")],
    plan_file: Annotated[
        Path | None,
        typer.Argument(
            metavar="PLAN.YAML",
            help="Which model and which rows; without it, the embedded world. Options win over it.",
            show_default=False,
        ),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(help="Rows, by name and with commas between, or FILE.py:CLASS; all of this package if not given."),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(help="Worlds, or trainings, to report on, with commas between.", show_default="0,1,2"),
    ] = None,
    development_seeds: Annotated[
        str | None,
        typer.Option(help="Those to choose configurations on, asked about other people.", show_default="100"),
    ] = None,
    people: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=limits.PEOPLE,
            help="Private people in each world; a tenth are forgotten.",
            show_default="40",
        ),
    ] = None,
    budget: Annotated[
        int | None, typer.Option(help="Configurations that each row may try, at most 9.", show_default="9")
    ] = None,
    request: Annotated[
        str | None, typer.Option(help="What is to go in the world: visual, textual or both.", show_default="visual")
    ] = None,
    text_facts: Annotated[
        bool,
        typer.Option(
            "--text-facts", help="Every row a second time, trained on what a mask protects as well (ROW+facts)."
        ),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=limits.WORKERS, help="Processes; one for each GPU, else for each core, if not given."),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="One of N programs that share the work and the folder, I from 1 to N."),
    ] = None,
    ray: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Ray cluster that does the work and sees the folder.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare methods: equal budgets, several seeds, controls, and intervals.

    On the embedded world, which needs no downloads, or on the model and the rows of a plan. Each method tries the same
    number of configurations on people kept for that; the best one is trained anew and measured on others. Base and gold
    are made where a plan gives none. Writes leaderboard.md, leaderboard.html, leaderboard.csv, cells.csv and plots. A
    bench that was interrupted goes on when the same command is started again.
    """
    from unsee.runs.folder import check_place
    from unsee.system.executors import chosen

    check_place(out)
    executor = chosen(workers, shard, ray)
    given: dict[str, Any] = {
        "methods": [name.strip() for name in methods.split(",") if name.strip()] if methods is not None else None,
        "budget": budget,
        "seeds": _numbers("seeds", seeds) if seeds is not None else None,
        "development_seeds": _numbers("development-seeds", development_seeds) if development_seeds else None,
        "text_facts": text_facts or None,
    }
    given = {key: value for key, value in given.items() if value is not None}
    made = _planned(plan_file, out, given, people, request) if plan_file else _on_worlds(out, given, people, request)
    if dry_run:
        from unsee.leaderboard.forecast import described as forecast

        described = forecast(made)
        print_json(described) if as_json else _show_plan(described)
        return
    from unsee.leaderboard.board import bench as carry_out
    from unsee.leaderboard.output import write

    summary = write(carry_out(made, executor))
    if as_json:
        print_json({**{key: value for key, value in summary.items() if key != "figures"}, "rows": summary["figures"]})
    else:
        _show(summary, out)


def _on_worlds(out: Path, given: dict[str, Any], people: int | None, request: str | None) -> Plan:
    """A bench on the embedded world."""
    from unsee.leaderboard.plan import plan
    from unsee.leaderboard.worlds import Worlds

    development = given.pop("development_seeds", (100,))
    return plan(out, ground=Worlds(people or 40, _request(request or "visual")), development=development, **given)


def _planned(file: Path, out: Path, given: dict[str, Any], people: int | None, request: str | None) -> Plan:
    """A bench on what a plan says.

    Raises:
        InputError: an option belongs to the world, or something in the plan cannot be used.
    """
    from unsee.leaderboard.plan_file import read_plan
    from unsee.leaderboard.planned import on_plan
    from unsee.methods.registry import in_full

    for option, value in (("--people", people), ("--request", request)):
        if value is not None:
            raise InputError(f"{option} belongs to the embedded world; {file} says who is to be forgotten, and what")
    _tell_of_code(file, given)
    if "methods" in given:  # whose places start where one stands
        given["methods"] = [in_full(name) for name in given["methods"]]
    return on_plan(read_plan(file, given), out)


def _tell_of_code(file: Path, given: dict[str, Any]) -> None:
    """Say whose code will be run of what a plan names, and no option."""
    from unsee.cli.unlearn import tell_of_code
    from unsee.runs.settings.sources import as_lists
    from unsee.system.files import read_text
    from unsee.system.strict import parse_yaml

    values = parse_yaml(read_text(file), str(file))
    plan = values if isinstance(values, dict) else {}  # what is wrong with it is said when it is read
    methods = as_lists(plan.get("methods"))
    for method in methods if isinstance(methods, list) and "methods" not in given else ():
        tell_of_code("method", method, file)
    if isinstance(benchmark := plan.get("benchmark"), dict):
        tell_of_code("benchmark", benchmark.get("name"), file)


def _numbers(option: str, text: str) -> tuple[int, ...]:
    """0,1,2 as numbers, each once."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    short = all(word.isascii() and word.isdigit() and len(word) <= 10 for word in words)
    if not words or not short or max(map(int, words)) > limits.SEED:
        raise InputError(
            f"--{option} {text!r}: give whole numbers of at most {limits.SEED} with commas between, as in 0,1,2"
        )
    return tuple(dict.fromkeys(int(word) for word in words))


def _request(text: str) -> Request:
    from unsee.types import REQUESTS

    for known in REQUESTS:
        if text == known:
            return known
    raise InputError(f"--request {text!r}: choose one of {', '.join(REQUESTS)}")


def _show_plan(described: dict[str, Any]) -> None:
    shown = console()
    made = table("row", "kind", "configurations")
    for row in described["rows"]:
        made.add_row(row["name"], row["kind"], "\n".join(row["configurations"]))
    shown.print(made)
    shown.print()
    shown.print(
        f"{described['cells']} cells: {len(described['rows'])} rows with {described['budget']} configurations each on "
        f"development seeds {', '.join(map(str, described['development_seeds']))}, then one each on seeds "
        f"{', '.join(map(str, described['seeds']))}; controls: {', '.join(described['controls'])}."
    )
    for part in described["stages"]:
        steps = f", at most {part['steps']:,} optimizer steps" if part["steps"] else ""
        shown.print(f"{part['stage']}: {part['cells']} cells{steps}")
    if estimate := described["estimate"]:
        for name, steps in estimate["making"].items():
            shown.print(f"{name} has to be made: at most {steps:,} optimizer steps")
        shown.print(
            f"About {_duration(estimate['total'])} on one worker ({estimate['step']:.2f} s per step, "
            f"{estimate['row']:.2f} s per question). {estimate['how']}"
        )


def _duration(seconds: float) -> str:
    """In the unit that people would take."""
    for unit, length in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def _show(summary: dict[str, Any], out: Path) -> None:
    shown = console()
    probes = summary["probes"]
    made = table("row", *(probe.replace("_", "\n") for probe in probes), "distance", numbers=len(probes) + 1)
    for row in summary["rows"]:
        scores = (
            [percent(row["scores"][probe]["value"]) for probe in probes] if row["scores"] else ["failed"] * len(probes)
        )
        distance = f"{row['distance']['value']:.3f}" if row["distance"] else ""
        made.add_row(printable(row["name"]), *scores, distance)
    shown.print("Share of right answers of those by whom nothing was chosen; distance to gold, smaller is better")
    shown.print(made)
    shown.print()
    places(shown, leaderboard=out / "leaderboard.md", page=out / "leaderboard.html", cells=out / "cells.csv")
