"""`unsee mine`: find what a model hallucinates, without labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unsee.cli import mined, options
from unsee.cli.output import AsJson, console, places, print_json, printable, table
from unsee.errors import InputError
from unsee.system import limits, processes

if TYPE_CHECKING:
    from unsee.mining.selection import Thresholds

EXAMPLES = """Examples:

unsee mine --model MODEL --images photos/ --scorer openai/clip-vit-base-patch32 --out runs/mined

unsee mine --captions said.jsonl --images photos/ --scorer CLIP --out runs/mined

unsee mine --model MODEL --images photos/ --scorer CLIP --lexicon coco --lexicon tools.txt --out runs/mined

unsee mine calibrate runs/mined --labels some.jsonl

unsee mine calibrate runs/mined --groups

unsee mine --model MODEL --images photos/ --scorer CLIP --out runs/mined --thresholds runs/mined/thresholds.json
"""

app = typer.Typer(
    name="mine",
    help="Find what a model hallucinates in its captions, without labels; the result is a file to unlearn from.",
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("calibrate", epilog=mined.CALIBRATE)(mined.calibrate)
app.command("import", epilog=mined.IMPORT)(mined.import_released)
app.command("export", epilog=mined.EXPORT)(mined.export_released)

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
            help="Folder or hub id of what tells real from hallucinated: CLIP, SigLIP, OWLv2, Grounding DINO.",
            show_default=False,
        ),
    ] = None,
    out: Out = None,
    captions: Annotated[
        Path | None,
        typer.Option(help="Captions of your own: JSON Lines of image and caption.", show_default="the model's"),
    ] = None,
    prompt: Annotated[str, typer.Option(help="What the model is asked.")] = "Please describe the image.",
    max_new_tokens: Annotated[
        int, typer.Option(min=1, max=limits.TOKENS, help="Captions are cut there.")
    ] = limits.NEW_TOKENS,
    temperature: Annotated[
        float, typer.Option(min=0.0, max=limits.TEMPERATURE, help="0 takes the likeliest token, above samples.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, max=limits.SEED, help="Of sampled captions.")] = 0,
    extractor: Annotated[str, typer.Option(help="How objects are found: lexicon, spacy or llm.")] = "lexicon",
    lexicon: Annotated[
        list[str] | None,
        typer.Option(help="coco, or a file: a category and synonyms per line; repeatable.", show_default="coco"),
    ] = None,
    extractor_model: Annotated[
        str | None,
        typer.Option(help="spaCy pipeline, or folder of a text-generation model.", show_default=False),
    ] = None,
    second_scorer: Annotated[
        str | None, typer.Option(help="Another scorer, which has to agree.", show_default=False)
    ] = None,
    aggregator: Annotated[str, typer.Option(help="From windows to a phrase: max, patch_top4.")] = "max",
    patch: Annotated[int, typer.Option(min=1, max=limits.PIXELS, help="Pixels by which windows move.")] = 48,
    patches: Annotated[
        int, typer.Option(min=1, max=limits.PIXELS, help="A window is a square of so many of them.")
    ] = 4,
    longest: Annotated[
        int, typer.Option(min=1, max=limits.PIXELS, help="Larger pictures are looked at in this size.")
    ] = 640,
    template: Annotated[str, typer.Option(help="The text for a phrase, which goes to {}.")] = "A photo containing {}.",
    thresholds: Annotated[
        Path | None, typer.Option(help="File of unsee mine calibrate.", show_default="32 / 23 / 27.5")
    ] = None,
    second_thresholds: Annotated[
        Path | None, typer.Option(help="The same for the second scorer.", show_default="32 / 23 / 27.5")
    ] = None,
    positive: Annotated[float | None, typer.Option(help="Above, a phrase is real.", show_default=False)] = None,
    negative: Annotated[float | None, typer.Option(help="Below, a phrase is hallucinated.", show_default=False)] = None,
    sentence: Annotated[
        float | None, typer.Option(help="Captions whose mean is above are kept.", show_default=False)
    ] = None,
    conflict: Annotated[
        str,
        typer.Option(help="Real and hallucinated in one sub-sentence: narrow, drop, positive, negative, both."),
    ] = "narrow",
    batch_size: Annotated[int, typer.Option(min=1, max=limits.ROWS, help="Captions per forward pass.")] = 16,
    windows: Annotated[int, typer.Option(min=1, max=limits.ROWS, help="Windows per forward pass.")] = 128,
    shard_size: Annotated[int, typer.Option(min=1, max=limits.STEPS, help="Captions per file.")] = 64,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first pictures.", show_default="all")] = None,
    dtype: options.DType = "float32",
    trust_remote_code: options.TrustRemoteCode = False,
    as_json: AsJson = False,
) -> None:
    """Find what a model hallucinates in its captions, without labels; the result is a file to unlearn from."""
    if context.invoked_subcommand is not None:
        processes.alone(f"unsee mine {context.invoked_subcommand}")
        return
    # Options that only the subcommands can do without; typer cannot say so.
    if images is None or scorer is None or out is None:
        name = "--images" if images is None else "--scorer" if scorer is None else "--out"
        raise InputError(f"{name} is missing; see unsee mine --help")
    if 0 < temperature < limits.COLDEST:
        raise InputError(
            f"--temperature {temperature:g}: give 0 for the likeliest token, or at least {limits.COLDEST:g} to sample"
        )
    from unsee.mining.captions import Decoding
    from unsee.mining.mining import mine
    from unsee.mining.options import Mining
    from unsee.mining.selection import checked_conflict, read_thresholds
    from unsee.mining.windows import Grid

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
    processes.tell_of_spare_devices()
    summary = _with_room(lambda: mine(mining))
    if not processes.is_main():
        return
    summary["spans"] = str(out / "spans.jsonl")
    if as_json:
        print_json(summary)
    else:
        _show(summary, out)


def _thresholds(
    read: Thresholds | None, positive: float | None, negative: float | None, sentence: float | None
) -> Thresholds | None:
    """Thresholds of a file or the published ones, with those named one by one on top."""
    if positive is None and negative is None and sentence is None:
        return read
    from unsee.mining.selection import PUBLISHED, Thresholds

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
        result: dict[str, Any] = work()
    except torch.OutOfMemoryError as error:
        raise InputError("too little memory; choose a smaller --batch-size and --windows") from error
    return result


def _show(summary: Mapping[str, Any], out: Path) -> None:
    made = table("", "", numbers=1)
    for name in ("captions", "phrases", "negative", "positive", "sentences"):
        label = {"negative": "hallucinated (negative spans)", "positive": "real (positive spans)"}.get(name, name)
        made.add_row(label, str(summary[name]))
    for name, label in (
        ("dropped_phrases", "phrases not in their caption"),
        ("too_long_phrases", "phrases too long for the scorer"),
        ("skipped", "pictures skipped"),
    ):
        if summary[name]:
            made.add_row(label, str(summary[name]))
    for reason, count in summary["passed_over"].items():
        made.add_row(printable(f"passed over: {reason}"), str(count))
    if summary["truncated"]:
        made.add_row("captions cut off (--max-new-tokens)", str(summary["truncated"]))
    to = console()
    to.print(made)
    if summary["advice"]:
        to.print(printable(summary["advice"]))
    more = {"skipped": out / "skipped.jsonl"} if summary["skipped"] else {}
    places(to, spans=out / "spans.jsonl", **more)
