"""`unsee train`: supervised training on rows, and what the model knows afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from unsee.cli import options
from unsee.cli.output import AsJson, between, console, percent, places, print_json, printable, table
from unsee.cli.unlearn import named_files, tell_of_code
from unsee.errors import InputError
from unsee.system import processes

EXAMPLES = """Examples:

unsee train --model MODEL --data facts.jsonl --out taught

unsee train --model MODEL --data facts.jsonl --probe new=held_out.jsonl --until 0.95 --lora 16 --merge --out taught

unsee train --model MODEL --benchmark clear --source therem/CLEAR --split forget10 --role base --until 0.95 --out base

unsee train --model MODEL --benchmark clear --source therem/CLEAR --split forget10 --role gold --out gold

unsee train --model start --benchmark clear --source world --role base --learn-probes --until 0.95 --out base

`unsee settings --of train` lists all settings. A file of settings is YAML with the same keys.
"""

REQUIRED = {"model": "--model", "out": "--out"}


def train(
    settings_file: Annotated[
        Path | None,
        typer.Argument(
            metavar="SETTINGS.YAML",
            help="Settings in a YAML file. Flags win over it, --set over both.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Folder or hub id of the model to train.", show_default=False)
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Rows to learn: a .jsonl or .parquet file, a folder, a hub id.", show_default=False),
    ] = None,
    benchmark: Annotated[
        str | None,
        typer.Option(help="Or those of a benchmark: one that `unsee benchmark list` names.", show_default=False),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Of the benchmark: a folder in its layout, a hub id.", show_default=False)
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="What is to be forgotten later on.", show_default="the benchmark's")
    ] = None,
    request: Annotated[
        str | None, typer.Option(help="visual, textual or both of it.", show_default="the benchmark's")
    ] = None,
    role: Annotated[
        str | None,
        typer.Option(help="base learns everything, gold all but what is to be forgotten.", show_default=False),
    ] = None,
    learn_probes: Annotated[
        bool,
        typer.Option(
            "--learn-probes", help="Learn what its probes ask as well, for a tiny model that begins with nothing."
        ),
    ] = False,
    probe: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="Rows to measure on; may be repeated.", show_default=False),
    ] = None,
    until: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="End when every --probe has this share of right answers; of a benchmark, every probe that asks "
            "training rows; without either, some training rows. See until.* of the settings.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the training: model, records, scores.", show_default=False)
    ] = None,
    parts: Annotated[str | None, typer.Option(help="Where weights may move.", show_default="all")] = None,
    lora: options.Lora = None,
    merge: Annotated[bool, typer.Option("--merge", help="Write a plain checkpoint, with the adapter in it.")] = False,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any other setting that `unsee settings --of train` lists; may be repeated.",
            show_default=False,
        ),
    ] = None,
    trust_remote_code: options.TrustRemoteCode = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Start anew, whatever training the folder of --out holds.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Teach a model rows, and measure what it knows.

    With --benchmark it makes the base, which knows everything, or the gold model, which never learned what is to be
    forgotten. The model in --out is an ordinary checkpoint or adapter. A training that was interrupted goes on when the
    same command is started again.
    """
    flags = {
        "model": model,
        "data": data,
        "benchmark": benchmark,
        "source": source,
        "split": split,
        "request": request,
        "role": role,
        "learn_probes": learn_probes or None,
        "probes": named_files(probe or []),
        "until": until,
        "out": str(out) if out else None,
        "parts": parts,
        "lora": lora,
        "merge": merge or None,
        "trust_remote_code": trust_remote_code or None,
    }
    settings = merged(settings_file, flags, assignments or [])
    processes.tell_of_spare_devices()
    from unsee.runs.supervised.learn import learn

    learned = learn(settings, overwrite=overwrite)
    if not processes.is_main():
        return
    summary = {
        "out": str(learned.folder),
        "model": str(learned.model),
        **learned.scores.model_dump(mode="json", exclude={"model"}),
        "from": learned.scores.model,
    }
    if as_json:
        print_json(summary)
    else:
        _show(summary)


def merged(file: Path | None, flags: dict[str, Any], assignments: list[str]) -> Any:
    """Settings of a training: what the file says, flags over it, `--set` over both.

    Raises:
        InputError: when anything is wrong or missing.
    """
    from unsee.runs.settings import read_yaml
    from unsee.runs.supervised.settings import SOURCES, TRAIN_GROUPS, parse, with_assignments

    values = read_yaml(file, SOURCES) if file else {}
    if file and not flags["benchmark"]:
        tell_of_code("benchmark", values.get("benchmark"), file)
    given = {key: value for key, value in flags.items() if value not in (None, {})}
    for group, main in (("lora", "rank"), ("until", "score")):
        if group in given and isinstance(held := TRAIN_GROUPS[group][1](values.get(group)), dict):
            given[group] = {**held, main: given[group]}
    values = with_assignments({**values, **given}, assignments)
    missing = [flag for key, flag in REQUIRED.items() if key not in values]
    if not values.get("data") and not values.get("benchmark"):
        missing.append("--data (or --benchmark)")
    if missing:
        raise InputError(f"missing {', '.join(missing)}; unsee train --help has examples")
    return parse(values, str(file) if file else "settings")


def _show(summary: dict[str, Any]) -> None:
    shown = console()
    made = table("probe", "right", "95 % interval", "rows", numbers=3)
    for name, score in summary["probes"].items():
        marked = f"{name} (training rows)" if name in summary["trained_on"] else name
        bounds = between(score["low"], score["high"], "share")
        made.add_row(printable(marked), percent(score["score"]), bounds, str(score["n"]))
    shown.print("Share of right answers", style="bold")
    shown.print(made)
    shown.print()
    knew = "as the model knew nothing yet, " if summary["from_nothing"] else ""
    shown.print(
        f"{summary['rows']:,} rows, {summary['steps']:,} steps, {knew}learning rate {summary['learning_rate']:g} after "
        f"{summary['warmup_steps']} steps of warm-up."
    )
    if until := summary["until"]:
        shown.print(_reached(until, summary["looks"]))
    if (fitness := summary["fitness"]) and fitness["sentence"]:
        shown.print(printable(fitness["sentence"]))
    elif fitness:
        knows = "knows" if fitness["whose"] == "base" else "does not know"
        shown.print(f"It {knows} what is to be forgotten, as a {fitness['whose']} should.")
    places(shown, model=summary["model"], scores=f"{summary['out']}/scores.json")


def _reached(until: dict[str, Any], looks: list[dict[str, Any]]) -> str:
    """What became of --until, by the last look."""
    last = looks[-1]
    seen = ", ".join(f"{printable(name)} {percent(share)}" for name, share in last["probes"].items())
    looked = f"of at most {until['rows']} rows each, at step {last['step']}: {seen}"
    if until["reached"]:
        return f"Reached {percent(until['score'])} ({looked})."
    return (
        f"Did not reach {percent(until['score'])} ({looked}). More passes (--set epochs=N) or another rate may help, "
        "in a new folder; probes that no training row answers may never get there (--set until.probes=NAME)."
    )
