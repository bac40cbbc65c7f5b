"""What is done with a mining: `unsee mine calibrate`, and the files that were released with EFUF in and out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from unsee.cli.output import AsJson, console, places, print_json, printable, table
from unsee.errors import InputError

CALIBRATE = """Examples:

unsee mine calibrate runs/mined --labels some.jsonl --error 0.02

unsee mine calibrate runs/mined --groups
"""
IMPORT = "Example: unsee mine import efuf-unlearning-30k/ --images train2014/ --out spans.jsonl"
EXPORT = "Example: unsee mine export runs/mined --out efuf/"


def calibrate(
    run: Annotated[Path, typer.Argument(help="Folder of a mining that has scored.", show_default=False)],
    labels: Annotated[
        Path | None,
        typer.Option(help="JSON Lines of image, phrase, real (true or false).", show_default="quantiles"),
    ] = None,
    error: Annotated[
        float, typer.Option(min=0.0, max=0.5, help="With labels: share taken wrongly beyond a threshold.")
    ] = 0.02,
    share: Annotated[
        float | None, typer.Option(help="Without labels: share of phrases at either end.", show_default="0.1")
    ] = None,
    groups: Annotated[
        bool,
        typer.Option("--groups", help="Without labels or a share: where the scores fall apart into two groups."),
    ] = False,
    second: Annotated[bool, typer.Option("--second", help="The scores of the second scorer.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="File of thresholds; the plot is beside it.", show_default="in the run")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Propose thresholds from a few labels, or from the scores alone, with a plot."""
    ways = {"--labels": labels is not None, "--share": share is not None, "--groups": groups}
    given = [name for name, is_given in ways.items() if is_given]
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)}: one of them; each is a way of its own to thresholds")
    proposal = calibrated(run, labels, error, 0.1 if share is None else share, second, out, groups)
    if as_json:
        print_json(proposal)
        return
    made = table("", "", numbers=1)
    for name, value in proposal.items():
        if isinstance(value, float):
            heading = {"share": "share asked for"}.get(name, name.replace("_", " "))  # others say what is reached
            made.add_row(heading, f"{value:.4g}")
    console().print(made)
    if proposal["advice"]:
        console().print(printable(proposal["advice"]))
    places(console(), thresholds=proposal["thresholds"], plot=proposal["plot"])


def calibrated(
    run: Path,
    labels: Path | None = None,
    error: float = 0.02,
    share: float = 0.1,
    second: bool = False,
    out: Path | None = None,
    groups: bool = False,
) -> dict[str, Any]:
    """What `unsee mine calibrate --json` prints; writes the thresholds and their plot.

    Raises:
        InputError: the run has no scores, the labels do not fit, or nothing can be written.
    """
    from unsee.mining import calibration
    from unsee.mining.advice import few_spans
    from unsee.mining.selection import write_thresholds
    from unsee.report.plots.histogram import page
    from unsee.system.files import write_text

    scored = calibration.read_scored(run, "relevance2" if second else "relevance")
    known = calibration.read_labels(labels) if labels else None
    how: dict[str, Any]
    if known is not None:
        made, how = calibration.from_labels(scored, known, error), {"from": "labels", "error": error}
    elif groups:
        made, how = calibration.from_groups(scored), {"from": "groups"}
    else:
        made, how = calibration.from_quantiles(scored, share), {"from": "quantiles", "share": share}
    facts = calibration.shares(scored, made, known)
    shown: Mapping[str, list[float]] = {"phrases": scored.scores()}
    if known is not None:
        shown = dict(zip(("real", "hallucinated"), scored.labelled(known), strict=True))
    path = out or run / ("thresholds2.json" if second else "thresholds.json")
    plot = path.with_suffix(".html")
    write_thresholds(path, made, **how, **facts)
    write_text(plot, page(shown, made, facts))
    scores = scored.scores()
    below = sum(made.role(score) == "negative" for score in scores)
    advice = few_spans(below, len(scored.captions), scores, made)
    return {**asdict(made), **how, **facts, "advice": advice, "thresholds": str(path), "plot": str(plot)}


def import_released(
    folder: Annotated[Path, typer.Argument(help="Folder with EFUF's files.", show_default=False)],
    images: Annotated[Path, typer.Option(help="Folder of the pictures that they name.", show_default=False)],
    out: Annotated[Path, typer.Option(help="File of spans to be written.", show_default=False)],
    thresholds: Annotated[
        Path | None, typer.Option(help="File of unsee mine calibrate.", show_default="32 / 23 / 27.5")
    ] = None,
    prompt: Annotated[str, typer.Option(help="What the captions answer.")] = "Please describe the image.",
    conflict: Annotated[str, typer.Option(help="As for unsee mine.")] = "narrow",
    as_json: AsJson = False,
) -> None:
    """Turn the files that were released with EFUF into spans; captions of pictures that are not there are skipped."""
    from unsee.mining.released import read_released
    from unsee.mining.selection import PUBLISHED, checked_conflict, read_thresholds
    from unsee.mining.weighted_spans import write_spans

    if not images.is_dir():
        raise InputError(f"--images {images}: no such folder")
    limits = read_thresholds(thresholds) if thresholds else PUBLISHED
    named = read_released(folder, images, limits, checked_conflict(conflict), prompt)
    rows = [row for row in named if os.path.isfile(row.image)]
    if named and not rows:
        raise InputError(f"--images {images}: none of the pictures is in it; {named[0].image.name} is the first")
    write_spans(out, rows)
    counts = {role: sum(len(row.of_role(role)) for row in rows) for role in ("positive", "negative")}
    sentences = sum(row.sentence.role is not None for row in rows)
    skipped = len(named) - len(rows)  # their pictures are not there
    summary = {"rows": len(rows), **counts, "sentences": sentences, "skipped": skipped, "spans": str(out)}
    _told(summary, as_json)


def export_released(
    run: Annotated[Path, typer.Argument(help="Folder of a finished mining.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder to be written to.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Write a mining as the files that EFUF's code reads."""
    from unsee.mining.calibration import read_scored
    from unsee.mining.released import captions_of, write_released

    read_scored(run)  # refuses a run without scores
    rows = list(captions_of(run))
    write_released(out, rows)
    _told({"captions": len(rows), "phrases": sum(len(phrases) for _, _, phrases in rows), "folder": str(out)}, as_json)


def _told(summary: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(summary)
        return
    made = table("", "", numbers=1)
    for name, value in summary.items():
        made.add_row(name, printable(value))
    console().print(made)
