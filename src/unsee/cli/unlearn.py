"""`unsee unlearn`: settings from flags and a YAML file, one run, what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from unsee.cli import options
from unsee.cli.output import AsJson, console, places, print_json, printable, show_metrics, show_scores, table
from unsee.cli.report import draw
from unsee.errors import InputError
from unsee.system import processes

EXAMPLES = """Examples:

unsee unlearn --model MODEL --forget ada.jsonl --method grad_ascent --out runs/ada

unsee unlearn ada.yaml --forget-probe new_photos=held_out.jsonl --keep-probe others=others.jsonl --lora 16

unsee unlearn ada.yaml --out runs/slow --set learning_rate=5e-6 --set beta=0.2

unsee unlearn runs/ada/run.yaml --out runs/again     the same run once more

Relative paths in a YAML file start at its folder, those of flags where you are.
"""

REQUIRED = {"model": "--model", "forget": "--forget", "out": "--out"}


def unlearn(
    settings_file: options.SettingsFile = None,
    model: options.Model = None,
    forget: options.Forget = None,
    retain: options.Retain = None,
    preserve: options.Preserve = None,
    probe: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE",
            help="Held-out rows to measure on; may be repeated. Whether their answers are to go is found from the "
            "subjects of the rows; names mean nothing.",
            show_default=False,
        ),
    ] = None,
    forget_probe: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="The same, of answers that are to go.", show_default=False),
    ] = None,
    keep_probe: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="The same, of answers that are to stay.", show_default=False),
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(
            metavar="RUN", help="Folder of an earlier run: what it removed is asked again.", show_default=False
        ),
    ] = None,
    lexicon: Annotated[
        list[str] | None,
        typer.Option(
            help="What objects may be called, to check captions of probes whose rows list objects: coco, or a file "
            "with a category and its synonyms per line; may be repeated.",
            show_default="coco, or what the rows list",
        ),
    ] = None,
    gold: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL|RECORDS",
            help="Model that never learned what is to go, or a folder of its records: what forgetting should come to.",
            show_default=False,
        ),
    ] = None,
    method: options.Method = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run: model, records, report.", show_default=False)
    ] = None,
    parts: options.Parts = None,
    lora: options.Lora = None,
    retain_preserved: options.RetainPreserved = False,
    assignments: options.Assignments = None,
    trust_remote_code: options.TrustRemoteCode = False,
    base_records: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN", help="Run that has measured the same model on the same probes.", show_default="runs beside"
        ),
    ] = None,
    share_base: Annotated[
        bool,
        typer.Option(
            "--share-base/--no-share-base", help="Take over what a run beside --out has measured of the same model."
        ),
    ] = True,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Start anew, whatever run the folder of --out holds.")
    ] = False,
    write_page: Annotated[bool, typer.Option("--report/--no-report", help="Write report.html.")] = True,
    as_json: AsJson = False,
) -> None:
    """Make a model forget rows of a file, and measure before and after.

    Everything goes to one folder: the model (an ordinary checkpoint or adapter), what was said before and after, the
    scores, the settings and a page to read. A run that was interrupted goes on when the same command is started again.
    """
    flags = {
        "model": model,
        "forget": forget,
        "retain": retain,
        "preserve": preserve,
        "probes": named_files(probe or []),
        "forget_probes": named_files(forget_probe or [], "--forget-probe"),
        "keep_probes": named_files(keep_probe or [], "--keep-probe"),
        "after": after,
        "lexicon": lexicon or None,
        "gold": gold,
        "method": method,
        "out": str(out) if out else None,
        "parts": parts,
        "lora": lora,
        "retain_preserved": retain_preserved or None,
        "trust_remote_code": trust_remote_code or None,
    }
    settings = merged_settings(settings_file, flags, assignments or [])
    processes.tell_of_spare_devices()
    result = carry_out(settings, write_page, overwrite, base_records, share_base)
    if not processes.is_main():
        return
    if as_json:
        print_json(result)
    else:
        _show(result)


def named_files(pairs: list[str], flag: str = "--probe") -> dict[str, str]:
    """Probes from NAME=FILE pairs.

    Raises:
        InputError: for a pair without a name or a file, and for a name given twice.
    """
    files: dict[str, str] = {}
    for pair in pairs:
        name, _, path = pair.partition("=")
        if not name or not path:
            raise InputError(f"{flag} {pair!r}: give NAME=FILE, as in {flag} new_photos=held_out.jsonl")
        if name in files:
            raise InputError(f"{flag} {name} is given twice; give each probe a name of its own")
        files[name] = path
    return files


def merged_settings(file: Path | None, flags: dict[str, Any], assignments: list[str]) -> Any:
    """Settings of a run: what the file says, flags over it, `--set` over both.

    Raises:
        InputError: when anything is wrong or missing.
    """
    from unsee.runs.settings import parse, read_yaml, with_assignments

    values = read_yaml(file) if file else {}
    if file and not flags.get("method"):
        tell_of_code("method", values.get("method"), file)
    given = {key: value for key, value in flags.items() if value not in (None, {})}
    if "method" in given:
        values = with_assignments(values, [f"method={given.pop('method')}"])
    if "lora" in given and isinstance(values.get("lora"), dict):
        given["lora"] = {**values["lora"], "rank": given["lora"]}
    values = with_assignments({**values, **given}, assignments)
    missing = [flag for key, flag in REQUIRED.items() if key not in values]
    if missing:
        raise InputError(f"missing {', '.join(missing)}; unsee unlearn --help has examples")
    return parse(values, str(file) if file else "settings")


def tell_of_code(what: str, place: Any, file: Path) -> None:
    """Say whose code will be run where nobody has named it but a file, which may be a stranger's."""
    from unsee.system.plugins import names_a_file

    if isinstance(place, str) and names_a_file(place) and processes.is_main():
        typer.echo(f"The {what} is code of {printable(place)}, as {printable(str(file))} says; it is run.", err=True)


def carry_out(
    settings: Any,
    write_page: bool,
    overwrite: bool = False,
    base_records: Path | None = None,
    share_base: bool = True,
) -> dict[str, Any]:
    """Do the run and write its page; what `unsee unlearn --json` prints."""
    from unsee.runs.run import unlearn as start

    run = start(settings, base_records, overwrite, share_base)
    summary = {"run": str(run.folder), "model": str(run.model), **run.scores.to_dict()}
    if write_page and processes.is_main():
        summary |= draw([run], run.folder / "report.html")
    return summary


def _show(summary: dict[str, Any]) -> None:
    from unsee.evaluation.unreadable import notice
    from unsee.runs.base_once import notice as shared

    shown = console()
    _show_scores(summary)
    if summary["trained_on"]:
        shown.print(
            f"Measured on training rows: {', '.join(summary['trained_on'])}. --probe NAME=FILE adds held-out rows."
        )
    if seen := [f"{name} ({counts['trained_on']} of {counts['pictures']})" for name, counts in _seen(summary)]:
        shown.print(f"Pictures that were trained on, under other questions: {printable(', '.join(seen))}.")
    if taken_over := shared(summary["taken_over"]):
        shown.print(printable(taken_over))
    if unreadable := notice(summary["unreadable"]):
        shown.print(printable(unreadable))
    if unread := summary.get("unread"):
        more = f" and {len(unread) - 1} more" if len(unread) > 1 else ""
        shown.print(
            f"The checkpoint holds {printable(unread[0])}{more}, which its architecture has no place for: neither "
            "measured nor trained, and written as they were."
        )
    for sentence in _of_the_training(summary):
        shown.print(printable(sentence))
    if "verdict" in summary:
        shown.print(summary["verdict"])
    for sentence in summary["advice"]:
        shown.print(printable(sentence))
    places(shown, **{name: summary[name] for name in ("model", "report") if name in summary})


def _of_the_training(summary: dict[str, Any]) -> Iterator[str]:
    """How it ended, and on what it was done, in sentences."""
    from unsee.training import rates
    from unsee.training.done import Ended, told
    from unsee.training.guard import UNWATCHED

    if stopped := summary.get("stopped"):
        yield (
            f"Stopped by its guard at step {stopped['step']}: what should stay became less likely than guard.drop "
            f"allows ({stopped['start']:.2f} to {stopped['found']:.2f} nats per token). The model is that of step "
            f"{stopped['kept']}."
        )
    if summary.get("watched") == []:
        yield UNWATCHED
    if rate := summary.get("rate"):
        yield rates.told(rates.FoundRate.model_validate(rate))
    if ended := summary.get("ended"):
        yield told(Ended.model_validate(ended))
    if preserved := summary.get("preserved"):
        yield preserved


def _seen(summary: dict[str, Any]) -> list[tuple[str, dict[str, int]]]:
    """Probes that repeat no training rows but show pictures of them."""
    shown = summary["pictures"].items()
    return [(name, counts) for name, counts in shown if counts["trained_on"] and name not in summary["trained_on"]]


def _show_scores(summary: dict[str, Any]) -> None:
    """Right answers, and what captions still say of what was judged: to these there is no right answer."""
    shown, judged = console(), summary["judged"]
    answered = {
        model: {probe: score for probe, score in scores.items() if probe not in judged[model]}
        for model, scores in summary["models"].items()
    }
    if any(answered.values()):
        show_scores(shown, answered, summary["roles"])
        show_metrics(shown, answered)
    for probe in judged["base"]:
        made = table(
            "model",
            "judged hallucinated,\nstill said",
            "at equal\nlength",
            "judged real,\nstill named",
            "at equal\nlength",
            "words",
            numbers=5,
        )
        for model, checks in judged.items():
            tallies = (checks[probe]["hallucinated"], checks[probe]["real"])
            cells = [cell for tally in tallies for cell in _cells(tally, model == "base")]
            made.add_row(printable(model), *cells, f"{checks[probe]['mean_words']:.1f}")
        shown.print(f"What captions still say, by the scorer's labels: {printable(probe)}", style="bold")
        shown.print(made)
        shown.print()


def _cells(tally: dict[str, int], is_base: bool) -> tuple[str, str]:
    """How many are said, as they stand and at equal length, where the base is beside it."""
    matched = "" if is_base else f"{tally['said_matched']:,} (base {tally['base_said_matched']:,})"
    return f"{tally['said']:,} of {tally['judged']:,}", matched
