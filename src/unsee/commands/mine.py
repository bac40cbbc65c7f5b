"""`unsee mine`: find what a model invents, without labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unsee.commands.output import AsJson, console, places, print_json, printable, table
from unsee.errors import InputError

if TYPE_CHECKING:
    from unsee.hallucination.selection import Thresholds

EXAMPLES = """Examples:

unsee mine --model MODEL --images photos/ --scorer openai/clip-vit-base-patch32 --out runs/mined

unsee mine --captions said.jsonl --images photos/ --scorer CLIP --out runs/mined

unsee mine --model MODEL --images photos/ --scorer CLIP --lexicon coco --lexicon tools.txt --out runs/mined

unsee mine calibrate runs/mined --labels some.jsonl

unsee mine --model MODEL --images photos/ --scorer CLIP --out runs/mined --thresholds runs/mined/thresholds.json
"""

app = typer.Typer(
    name="mine",
    help="Find what a model invents in its captions, without labels; the result is a file to unlearn from.",
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Out = Annotated[Path | None, typer.Option(help="Folder of the run; an unfinished one goes on.", show_default=False)]


@app.callback(invoke_without_command=True)
def mine_command(
    context: typer.Context,
    model: Annotated[
        str | None, typer.Option(help="Folder or hub id of the model that captions.", show_default=False)
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of pictures.", show_default=False)] = None,
    scorer: Annotated[
        str | None,
        typer.Option(
            help="Folder or hub id of what tells real from invented: CLIP, SigLIP, OWLv2, Grounding DINO.",
            show_default=False,
        ),
    ] = None,
    out: Out = None,
    captions: Annotated[
        Path | None,
        typer.Option(help="Captions of your own: JSON Lines of image and caption.", show_default="the model's"),
    ] = None,
    prompt: Annotated[str, typer.Option(help="What the model is asked.")] = "Please describe the image.",
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Captions are cut there.")] = 128,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 takes the likeliest token, above samples.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Of sampled captions.")] = 0,
    extractor: Annotated[str, typer.Option(help="How objects are found: lexicon, spacy or llm.")] = "lexicon",
    lexicon: Annotated[
        list[str] | None,
        typer.Option(help="coco, or a file with a category and its synonyms a line; repeatable.", show_default="coco"),
    ] = None,
    extractor_model: Annotated[
        str | None,
        typer.Option(help="spaCy pipeline, or folder of a text-generation model.", show_default=False),
    ] = None,
    second_scorer: Annotated[
        str | None, typer.Option(help="Another scorer, which has to agree.", show_default=False)
    ] = None,
    aggregator: Annotated[str, typer.Option(help="From windows to a phrase: max, patch_top4.")] = "max",
    patch: Annotated[int, typer.Option(min=1, help="Pixels by which windows move.")] = 48,
    patches: Annotated[int, typer.Option(min=1, help="A window is a square of so many of them.")] = 4,
    longest: Annotated[int, typer.Option(min=1, help="Larger pictures are looked at in this size.")] = 640,
    template: Annotated[str, typer.Option(help="The text for a phrase, which goes to {}.")] = "A photo containing {}.",
    thresholds: Annotated[
        Path | None, typer.Option(help="File of unsee mine calibrate.", show_default="32 / 23 / 27.5")
    ] = None,
    second_thresholds: Annotated[
        Path | None, typer.Option(help="The same for the second scorer.", show_default="32 / 23 / 27.5")
    ] = None,
    positive: Annotated[float | None, typer.Option(help="Above, a phrase is real.", show_default=False)] = None,
    negative: Annotated[float | None, typer.Option(help="Below, a phrase is invented.", show_default=False)] = None,
    sentence: Annotated[
        float | None, typer.Option(help="Captions whose mean is above are kept.", show_default=False)
    ] = None,
    conflict: Annotated[
        str,
        typer.Option(help="Real and invented in one sub-sentence: narrow, drop, positive, negative, both."),
    ] = "narrow",
    batch_size: Annotated[int, typer.Option(min=1, help="Captions a forward pass.")] = 16,
    windows: Annotated[int, typer.Option(min=1, help="Windows a forward pass.")] = 128,
    shard_size: Annotated[int, typer.Option(min=1, help="Captions a file.")] = 64,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first pictures.", show_default="all")] = None,
    dtype: Annotated[str, typer.Option(help="Of the weights: float32, bfloat16 or float16.")] = "float32",
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run code that comes with the model.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find what a model invents in its captions, without labels; the result is a file to unlearn from."""
    if context.invoked_subcommand is not None:
        return
    # Options that only the subcommands can do without; typer cannot say so.
    if images is None or scorer is None or out is None:
        name = "--images" if images is None else "--scorer" if scorer is None else "--out"
        raise InputError(f"{name} is missing; see unsee mine --help")
    from unsee.hallucination.captions import Decoding
    from unsee.hallucination.mining import mine
    from unsee.hallucination.options import Mining
    from unsee.hallucination.selection import checked_conflict, read_thresholds
    from unsee.hallucination.windows import Grid

    mining = Mining(
        images=images,
        out=out,
        scorer=scorer,
        model=model,
        captions=captions,
        prompt=prompt,
        decoding=Decoding(max_new_tokens, temperature, seed),
        extractor=extractor,
        lexicons=tuple(lexicon or ("coco",)),
        extractor_model=extractor_model,
        second_scorer=second_scorer,
        aggregator=aggregator,
        grid=Grid(patch, patches, longest),
        template=template,
        thresholds=_thresholds(read_thresholds(thresholds) if thresholds else None, positive, negative, sentence),
        second_thresholds=read_thresholds(second_thresholds) if second_thresholds else None,
        conflict=checked_conflict(conflict),
        batch_size=batch_size,
        windows=windows,
        shard_size=shard_size,
        limit=limit,
        dtype=dtype,
        trust_remote_code=trust_remote_code,
    )
    found = _with_room(lambda: mine(mining))
    found["spans"] = str(out / "spans.jsonl")
    if as_json:
        print_json(found)
    else:
        _show(found, out)


def _thresholds(
    read: Thresholds | None, positive: float | None, negative: float | None, sentence: float | None
) -> Thresholds | None:
    """Thresholds of a file or the published ones, with those named one by one on top."""
    if positive is None and negative is None and sentence is None:
        return read
    from unsee.hallucination.selection import PUBLISHED, Thresholds

    if positive is not None and negative is not None and sentence is not None:
        return Thresholds(positive, negative, sentence, unit=None)  # of whatever scorer there is
    base = read or PUBLISHED
    return replace(
        base,
        positive=base.positive if positive is None else positive,
        negative=base.negative if negative is None else negative,
        sentence=base.sentence if sentence is None else sentence,
    )


def _with_room(work: Any) -> dict[str, Any]:
    """The work; too little memory is wrong input."""
    import torch

    try:
        found: dict[str, Any] = work()
    except torch.OutOfMemoryError as error:
        raise InputError("too little memory; choose a smaller --batch-size and --windows") from error
    return found


@app.command("calibrate", epilog="Example: unsee mine calibrate runs/mined --labels some.jsonl --error 0.02")
def calibrate_command(
    run: Annotated[Path, typer.Argument(help="Folder of a mining that has scored.", show_default=False)],
    labels: Annotated[
        Path | None,
        typer.Option(help="JSON Lines of image, phrase, real (true or false).", show_default="quantiles"),
    ] = None,
    error: Annotated[
        float, typer.Option(min=0.0, max=0.5, help="With labels: share taken wrongly beyond a threshold.")
    ] = 0.02,
    share: Annotated[float, typer.Option(help="Without labels: share of phrases at either end.")] = 0.1,
    second: Annotated[bool, typer.Option("--second", help="The scores of the second scorer.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="File of thresholds; the plot is beside it.", show_default="in the run")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Propose thresholds from a few labels, or from the scores alone, with a plot."""
    found = calibrated(run, labels, error, share, second, out)
    if as_json:
        print_json(found)
        return
    made = table("", "", numbers=1)
    for name, value in found.items():
        if isinstance(value, float):
            made.add_row(name.replace("_", " "), f"{value:.4g}")
    console().print(made)
    places(console(), thresholds=found["thresholds"], plot=found["plot"])


def calibrated(
    run: Path,
    labels: Path | None = None,
    error: float = 0.02,
    share: float = 0.1,
    second: bool = False,
    out: Path | None = None,
) -> dict[str, Any]:
    """What `unsee mine calibrate --json` prints; writes the thresholds and their plot.

    Raises:
        InputError: the run has no scores, the labels do not fit, or nothing can be written.
    """
    from unsee.files import write_text
    from unsee.hallucination import calibration
    from unsee.hallucination.histogram import page
    from unsee.hallucination.selection import write_thresholds

    scored = calibration.read_scored(run, "relevance2" if second else "relevance")
    known = calibration.read_labels(labels) if labels else None
    made = calibration.from_quantiles(scored, share) if known is None else calibration.from_labels(scored, known, error)
    how = {"from": "quantiles", "share": share} if known is None else {"from": "labels", "error": error}
    facts = calibration.shares(scored, made, known)
    groups: Mapping[str, list[float]] = {"phrases": scored.scores()}
    if known is not None:
        groups = dict(zip(("real", "invented"), scored.labelled(known), strict=True))
    path = out or run / ("thresholds2.json" if second else "thresholds.json")
    plot = path.with_suffix(".html")
    write_thresholds(path, made, **how, **facts)
    write_text(plot, page(groups, made, facts))
    return {**asdict(made), **how, **facts, "thresholds": str(path), "plot": str(plot)}


@app.command("import", epilog="Example: unsee mine import efuf-unlearning-30k/ --images train2014/ --out spans.jsonl")
def import_command(
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
    """Turn the files that were released with EFUF into spans."""
    from unsee.hallucination.released import read_released
    from unsee.hallucination.selection import PUBLISHED, checked_conflict, read_thresholds
    from unsee.hallucination.spans import write_spans

    limits = read_thresholds(thresholds) if thresholds else PUBLISHED
    rows = read_released(folder, images, limits, checked_conflict(conflict), prompt)
    write_spans(out, rows)
    counts = {role: sum(len(row.of_role(role)) for row in rows) for role in ("positive", "negative")}
    sentences = sum(row.sentence.role is not None for row in rows)
    found = {"rows": len(rows), **counts, "sentences": sentences, "spans": str(out)}
    _told(found, as_json)


@app.command("export", epilog="Example: unsee mine export runs/mined --out efuf/")
def export_command(
    run: Annotated[Path, typer.Argument(help="Folder of a finished mining.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder to be written to.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Write a mining as the files that EFUF's code reads."""
    from unsee.hallucination.calibration import read_scored
    from unsee.hallucination.released import captions_of, write_released

    read_scored(run)  # refuses a run without scores
    rows = list(captions_of(run))
    write_released(out, rows)
    _told({"captions": len(rows), "phrases": sum(len(found) for _, _, found in rows), "folder": str(out)}, as_json)


def _told(found: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    made = table("", "", numbers=1)
    for name, value in found.items():
        made.add_row(name, printable(value))
    console().print(made)


def _show(found: Mapping[str, Any], out: Path) -> None:
    made = table("", "", numbers=1)
    for name in ("captions", "phrases", "negative", "positive", "sentences"):
        said = {"negative": "invented (negative spans)", "positive": "real (positive spans)"}.get(name, name)
        made.add_row(said, str(found[name]))
    for name, said in (("dropped_phrases", "phrases not in their caption"), ("skipped", "pictures skipped")):
        if found[name]:
            made.add_row(said, str(found[name]))
    to = console()
    to.print(made)
    more = {"skipped": out / "skipped.jsonl"} if found["skipped"] else {}
    places(to, spans=out / "spans.jsonl", **more)
