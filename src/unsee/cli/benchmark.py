"""`unsee benchmark`: published benchmarks as data that `unsee unlearn` takes, and what is odd about them."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from unsee.cli.output import AsJson, console, places, print_json, printable, table
from unsee.errors import InputError
from unsee.system import limits

app = typer.Typer(name="benchmark", help="CLEAR, MLLMU-Bench and TOFU: check, prepare, score.", no_args_is_help=True)

CHECK_EXAMPLES = """Examples:

unsee benchmark check clear CLEAR                     a folder in the layout of therem/CLEAR

unsee benchmark check mllmu MLLMU-Bench --json

Ends with exit code 1 if there are errors; notes are for the reader of results.
"""
WRITE_EXAMPLES = """Examples:

unsee benchmark write clear therem/CLEAR --split forget05 --request both --out data

unsee benchmark write mllmu MLLMU-Bench --training baseline_train_split --out data

unsee benchmark write tofu locuslab/TOFU --out data

unsee unlearn data/data.yaml --model MODEL --out runs/npo
"""

SCORE_EXAMPLES = """Examples:

unsee benchmark score clear runs/npo/records/npo --gold runs/gold/records/base

unsee benchmark score mllmu runs/npo/records/npo --json
"""

Kind = Annotated[str, typer.Argument(help="clear, mllmu or tofu.", show_default=False)]
PROBLEMS = 1


@app.command("check", epilog=CHECK_EXAMPLES)
def check_command(
    kind: Kind,
    source: Annotated[Path, typer.Argument(help="A folder in the layout of the hub.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Read a benchmark through: columns, types, counts, pictures, sets that overlap, known anomalies."""
    found = check(kind, source)
    errors = sum(one["level"] == "error" for one in found["findings"])
    if as_json:
        print_json(found)
    else:
        made = table("configuration", "rows", numbers=1)
        for config, rows in found["rows"].items():
            made.add_row(config, str(rows))
        shown = console()
        shown.print(made)
        shown.print()
        odd = table("level", "where", "what")
        for one in found["findings"]:
            odd.add_row(one["level"], printable(one["where"]), printable(one["message"]))
        if found["findings"]:
            shown.print(odd)
        shown.print(f"errors: {errors}, notes: {len(found['findings']) - errors}")
    if errors:
        raise typer.Exit(PROBLEMS)


@app.command("write", epilog=WRITE_EXAMPLES)
def write_command(
    kind: Kind,
    source: Annotated[str, typer.Argument(help="A folder in the layout of the hub, or a hub id.", show_default=False)],
    out: Annotated[Path, typer.Option(help="A folder that does not exist yet.", show_default=False)],
    split: Annotated[
        str | None,
        typer.Option(help="Who is forgotten, such as forget05 or forget_10.", show_default="forget10 or forget_5"),
    ] = None,
    request: Annotated[
        str | None, typer.Option(help="visual, textual or both.", show_default="visual; textual for tofu")
    ] = None,
    probe_rows: Annotated[
        int | None, typer.Option(min=1, help="At most so many rows per probe, spread evenly.", show_default=False)
    ] = None,
    training: Annotated[
        str | None,
        typer.Option(help="MLLMU-Bench: where the training questions are, if not in ft_Data.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=limits.SEED, help="Of wordings and the order of options.")] = 0,
    allow_anomalies: Annotated[
        bool, typer.Option("--allow-anomalies", help="Write a copy that is not whole, and say what is wrong with it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write forget, retain, preserve and probes as files, with the settings that name them all."""
    options = {"split": split, "request": request, "probe_rows": probe_rows, "training": training, "seed": seed}
    found = write(kind, source, out, allow_anomalies, **options)
    if as_json:
        print_json(found)
        return
    made = table("set", "rows", "measured on training rows", numbers=1)
    made.columns[1].justify, made.columns[2].justify = "right", "left"
    for name, rows in found["rows"].items():
        made.add_row(name, str(rows), "yes" if name in found["trained_on"] else "")
    shown = console()
    shown.print(found["benchmark"], style="bold")
    shown.print(made)
    for line in found["anomalies"]:
        shown.print(printable(f"anomaly: {line}"), soft_wrap=True)
    places(shown, settings=found["settings"], next=found["next"])


@app.command("score", epilog=SCORE_EXAMPLES)
def score_command(
    kind: Annotated[str, typer.Argument(help="clear or mllmu.", show_default=False)],
    records: Annotated[
        Path, typer.Argument(help="The records of one model in a run: RUN/records/NAME.", show_default=False)
    ],
    gold: Annotated[
        Path | None, typer.Option(help="CLEAR: records of the gold model, for forget quality.", show_default=False)
    ] = None,
    truth_ratio: Annotated[
        str, typer.Option(help="CLEAR: definition of the truth ratio: geometric, arithmetic, clear_repo.")
    ] = "geometric",
    as_json: AsJson = False,
) -> None:
    """The published numbers of a benchmark from the records of a run, without a model."""
    found = score(kind, records, gold, truth_ratio)
    if as_json:
        print_json(found)
        return
    shown = console()
    for name, value in found.items():
        if name not in ("tasks", "benchmark") and not isinstance(value, dict):
            shown.print(f"{name} {_number(value)}")
    for name in ("with ROUGE", "without ROUGE"):
        if name in found:
            shown.print(f"{name}: " + ", ".join(f"{split} {_number(value)}" for split, value in found[name].items()))
    columns = sorted({column for numbers in found["tasks"].values() for column in numbers})
    made = table("probe", *columns, numbers=len(columns))
    for probe, numbers in found["tasks"].items():
        made.add_row(printable(probe), *(_number(numbers.get(column)) for column in columns))
    shown.print(made)


def score(kind: str, records: Path, gold: Path | None = None, truth_ratio: str = "geometric") -> dict[str, Any]:
    """What `unsee benchmark score --json` prints.

    Raises:
        InputError: for an unknown kind or truth ratio, or a folder without records of the benchmark.
    """
    from typing import get_args

    from unsee.benchmarks.clear.score import score_clear
    from unsee.benchmarks.mllmu.score import score_mllmu
    from unsee.benchmarks.sets import one_of
    from unsee.metrics.truth_ratio import TruthRatio

    one_of("benchmark", kind, ("clear", "mllmu"))
    one_of("truth ratio", truth_ratio, get_args(TruthRatio))
    rows = _records(records)
    if kind == "mllmu":
        found: dict[str, Any] = {"benchmark": kind, "tasks": score_mllmu(rows)}
    else:
        scores = score_clear(rows, _records(gold) if gold else None, truth_ratio)  # type: ignore[arg-type]
        quality = scores.forget_quality
        found = {
            "benchmark": kind,
            "with ROUGE": scores.splits,
            "without ROUGE": scores.splits_without_rouge,
            "forget_quality": quality.kolmogorov_smirnov.p_value if quality else None,
            "log_forget_quality": quality.kolmogorov_smirnov.log_p_value if quality else None,
            "js_forget_quality": quality.js if quality else None,
            "js_forget_quality_clear_v4": quality.js_clear_v4 if quality else None,
            "tasks": {probe: numbers.to_dict() for probe, numbers in scores.per_task.items()},
        }
    if not found["tasks"]:
        raise InputError(f"{records}: no records of {kind}; it holds {', '.join(rows)}")
    return found


def _records(folder: Path) -> dict[str, list[dict[str, Any]]]:
    from unsee.evaluation.records import read_records

    if not folder.is_dir() or not any(folder.glob("*.jsonl")):
        raise InputError(f"{folder}: holds no records; give RUN/records/NAME of a run")
    return {path.stem: [row.row() for row in read_records(path)] for path in sorted(folder.glob("*.jsonl"))}


def _number(value: float | int | None) -> str:
    if value is None or math.isnan(value):
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def check(kind: str, source: Path) -> dict[str, Any]:
    """What `unsee benchmark check --json` prints.

    Raises:
        InputError: for an unknown kind, or a folder that holds no such benchmark.
    """
    from unsee.benchmarks import KINDS
    from unsee.benchmarks.sets import one_of
    from unsee.benchmarks.validate import validate

    one_of("benchmark", kind, KINDS)
    rows, findings = validate(source, kind)
    listed = [{"level": one.level, "where": one.where, "message": one.message} for one in findings]
    return {"benchmark": kind, "folder": str(source), "rows": rows, "findings": listed}


def write(kind: str, source: str, out: Path, allow_anomalies: bool = False, **options: Any) -> dict[str, Any]:
    """What `unsee benchmark write --json` prints.

    Args:
        kind: "clear", "mllmu" or "tofu".
        source: a folder, or a hub id.
        out: a folder that does not exist yet.
        allow_anomalies: whether a copy that is not whole is written as well.
        options: of `unsee.benchmarks.load_benchmark`.

    Raises:
        InputError: for anything wrong with the benchmark, a copy that is not whole, or a folder that exists.
    """
    from unsee.benchmarks import SPLIT, load_benchmark
    from unsee.benchmarks.damage import damage
    from unsee.benchmarks.files import check_new, write_benchmark

    check_new(out)
    benchmark = load_benchmark(source, kind, **options)
    anomalies = damage(benchmark, source, kind, options.get("split") or SPLIT[kind])
    if anomalies and not allow_anomalies:
        more = f" (and {len(anomalies) - 1} more)" if len(anomalies) > 1 else ""
        raise InputError(f"{source}: {anomalies[0]}{more}; fetch it anew, or write it as it is with --allow-anomalies")
    settings = write_benchmark(benchmark, out)
    rows = {name: len(getattr(benchmark, name)) for name in ("forget", "retain", "preserve")}
    return {
        "benchmark": benchmark.name,
        "folder": str(out),
        "settings": str(settings),
        "rows": {**rows, **{probe.name: len(probe) for probe in benchmark.probes}},
        "trained_on": [probe.name for probe in benchmark.probes if probe.trained_on],
        "anomalies": anomalies,
        "next": f"unsee unlearn {shlex.quote(str(settings))} --model MODEL --out runs/npo",
    }
