"""`unsee metrics`: published metrics from files, without a model.

Every command prints a table, or with `--json` one JSON object in which a number that does not exist is null.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from unsee.cli.metrics_amber import amber_scores
from unsee.cli.metrics_pope import pope_scores
from unsee.cli.metrics_rows import string
from unsee.cli.metrics_text import text_scores
from unsee.cli.output import AsJson, console, print_json, table
from unsee.errors import InputError, one_of, quoted
from unsee.metrics.chair import Chair, Lexicon, chair, match_lengths, parse_synonyms
from unsee.metrics.official_words import official_singular
from unsee.metrics.pope import PARSERS
from unsee.metrics.truth_ratio import TruthRatio
from unsee.system.files import numbered_jsonl, read_json, read_text

WORDS = ("unsee", "official")
app = typer.Typer(name="metrics", help="Published metrics from files, without a model.", no_args_is_help=True)


@app.command("tofu")
def tofu_command(
    logs: Annotated[Path, typer.Argument(help="TOFU's eval_log_aggregated.json of a model.", show_default=False)],
    retain: Annotated[
        Path | None, typer.Option(help="The same file of the retain model, for forget quality.", show_default=False)
    ] = None,
    truth_ratio: Annotated[
        str, typer.Option(help=f"Definition of the truth ratio: {', '.join(get_args(TruthRatio))}.")
    ] = "geometric",
    as_json: AsJson = False,
) -> None:
    """Model utility and forget quality from TOFU evaluation logs."""
    _show("TOFU", tofu_scores(logs, retain, truth_ratio), as_json)


@app.command("chair")
def chair_command(
    captions: Annotated[Path, typer.Option(help="JSON Lines: image_id, caption.", show_default=False)],
    gold: Annotated[Path, typer.Option(help="JSON: {image_id: [object, ...]}.", show_default=False)],
    synonyms: Annotated[Path, typer.Option(help="Each line: category, synonym, ...", show_default=False)],
    match: Annotated[
        Path | None,
        typer.Option(help="Captions of another model, to compare both at equal lengths.", show_default=False),
    ] = None,
    words: Annotated[
        str, typer.Option(help="Singular forms: unsee, or official for those of the published script beside them.")
    ] = "unsee",
    as_json: AsJson = False,
) -> None:
    """Hallucinated objects in captions, in per cent."""
    _show("CHAIR (per cent)", chair_scores(captions, gold, synonyms, match, words), as_json)


@app.command("pope")
def pope_command(
    questions: Annotated[Path, typer.Option(help="JSON Lines: text, label (question_id).", show_default=False)],
    answers: Annotated[
        Path,
        typer.Option(help="JSON Lines: answer; by question_id, or in order.", show_default=False),
    ],
    parser: Annotated[str, typer.Option(help=f"How answers are read: {', '.join(PARSERS)}.")] = "official",
    as_json: AsJson = False,
) -> None:
    """Yes/no questions about objects."""
    _show("POPE", pope_scores(questions, answers, parser), as_json)


@app.command("text")
def text_command(
    captions: Annotated[Path, typer.Option(help="JSON Lines: image_id, caption.", show_default=False)],
    references: Annotated[
        Path | None, typer.Option(help="JSON: {image_id: [text, ...]}, for BLEU and ROUGE.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Length and variety of captions, and their closeness to references, over words."""
    _show("Text", text_scores(captions, references), as_json)


@app.command("amber")
def amber_command(
    responses: Annotated[Path, typer.Option(help="JSON list (or .jsonl): id, response.", show_default=False)],
    annotations: Annotated[Path, typer.Option(help="AMBER's annotations.json.", show_default=False)],
    relations: Annotated[Path, typer.Option(help="AMBER's relation.json.", show_default=False)],
    safe_words: Annotated[
        Path | None, typer.Option(help="AMBER's safe_words.txt: never counted as hallucinated.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hallucinated objects in descriptions and yes/no questions, in per cent."""
    _show("AMBER (per cent)", amber_scores(responses, annotations, relations, safe_words), as_json)


def tofu_scores(logs: Path, retain: Path | None = None, truth_ratio: str = "geometric") -> dict[str, Any]:
    """What `unsee metrics tofu` prints: utility in [0, 1], forget quality as a p-value with its natural logarithm.

    Raises:
        InputError: a file is broken or lacks something, or the truth ratio is unknown.
    """
    from unsee.benchmarks.tofu.score import parse_tofu_logs, score_tofu

    variant = one_of("--truth-ratio", truth_ratio, get_args(TruthRatio))
    model = parse_tofu_logs(read_json(logs), str(logs))
    gold = parse_tofu_logs(read_json(retain), str(retain)) if retain else None
    scores = score_tofu(model, gold, variant)
    quality = scores.forget_quality
    return {
        "model_utility": scores.model_utility,
        "forget_quality": quality.p_value if quality else None,
        "log_forget_quality": quality.log_p_value if quality else None,
        "ks_statistic": quality.statistic if quality else None,
        "truth_ratio_forget": scores.per_task["forget"].truth_ratio,
        "per_task": {task: numbers.to_dict() for task, numbers in scores.per_task.items()},
    }


def chair_scores(
    captions: Path, gold: Path, synonyms: Path, match: Path | None = None, words: str = "unsee"
) -> dict[str, Any]:
    """What `unsee metrics chair` prints: rates in per cent, caption length in words.

    With `match`, the file of another model, also CHAIR of both with each pair of captions cut to its shorter one. With
    "official" `words` also `words`: the same by our singular forms and by those of the published script.

    Raises:
        InputError: a file is broken, an image has no gold objects, an object is not in the synonyms, or the package
            for official words is not installed.
    """
    official = official_singular() if one_of("--words", words, WORDS) == "official" else None
    lexicon = parse_synonyms(read_text(synonyms), str(synonyms))
    shown = _gold_objects(gold, lexicon)
    images, texts = _captions(captions, shown, gold)
    others = _captions_of(match, images, captions, shown, gold) if match else None
    objects = [shown[image] for image in images]
    scores: dict[str, Any] = _chair(texts, others, objects, lexicon)
    if official:
        theirs = _chair(texts, others, objects, replace(lexicon, singular=official))
        scores["words"] = {"unsee": dict(scores), "official": theirs}
    return scores


def _chair(
    texts: list[str], others: list[str] | None, objects: list[frozenset[str]], lexicon: Lexicon
) -> dict[str, float | int]:
    result = chair(texts, objects, lexicon)
    scores = {
        "chair_s": 100 * result.chair_s,
        "chair_i": 100 * result.chair_i,
        "chair_i_unique": 100 * result.chair_i_unique,
        "recall": 100 * result.recall,
        "mean_words": result.mean_words,
        "captions": result.captions,
    }
    if others is not None:
        ours, theirs = match_lengths(texts, others)
        scores |= _matched("", chair(ours, objects, lexicon)) | _matched("other_", chair(theirs, objects, lexicon))
    return scores


def _matched(prefix: str, result: Chair) -> dict[str, float]:
    return {f"{prefix}chair_s_matched": 100 * result.chair_s, f"{prefix}chair_i_matched": 100 * result.chair_i}


def _gold_objects(path: Path, lexicon: Lexicon) -> dict[str, frozenset[str]]:
    """The categories that each image shows, by image id."""
    images = read_json(path)
    if not isinstance(images, Mapping):
        raise InputError(f"{path}: must be one JSON object that maps each image id to its list of objects")
    gold = {}
    for image, objects in images.items():
        if not isinstance(objects, list) or not all(isinstance(name, str) for name in objects):
            raise InputError(f"{path}: image {image!r} has {quoted(objects)}; give a list of object names")
        try:
            gold[image] = lexicon.categories(objects)
        except KeyError as error:
            raise InputError(f"{path}: image {image!r} shows {error}, which no line of the synonyms names") from error
    return gold


def _captions(path: Path, shown: Mapping[str, frozenset[str]], gold: Path) -> tuple[list[str], list[str]]:
    """Image ids and captions of a file, in its order."""
    images, texts = [], []
    for number, row in numbered_jsonl(path):
        where = f"{path}, line {number}"
        image = row.get("image_id", row.get("image"))
        if isinstance(image, bool) or not isinstance(image, int | str):
            raise InputError(f"{where}: image_id is {quoted(image)}; each line names its image and its caption")
        if str(image) not in shown:
            raise InputError(f"{where}: image {image!r} is not in {gold}; give its objects, an empty list if none")
        images.append(str(image))
        texts.append(string(row, "caption", where))
    if not texts:
        raise InputError(f"{path}: holds no captions; each line is an object with image_id and caption")
    return images, texts


def _captions_of(
    path: Path, images: list[str], first: Path, shown: Mapping[str, frozenset[str]], gold: Path
) -> list[str]:
    """Captions of a second file for the images of the first, in its order; several of one image one by one."""
    theirs, texts = _captions(path, shown, gold)
    by_image: dict[str, list[str]] = {}
    for image, text in zip(theirs, texts, strict=True):
        by_image.setdefault(image, []).append(text)
    for image, count in Counter(images).items():
        theirs_too = len(by_image.get(image, ()))
        if theirs_too != count:
            raise InputError(
                f"{path}: has {f'{theirs_too} captions' if theirs_too else 'no caption'} of image {image!r}, of which "
                f"{first} has {count}; captions are compared one by one"
            )
    turn = {image: iter(own) for image, own in by_image.items()}
    return [next(turn[image]) for image in images]


def _show(title: str, scores: Mapping[str, Any], as_json: bool) -> None:
    """One JSON object for programs, or tables for people."""
    if as_json:
        print_json(scores)
        return
    made = table("metric", "value", numbers=1)
    groups = {name: value for name, value in scores.items() if isinstance(value, Mapping)}
    for name, value in scores.items():
        if name not in groups:
            made.add_row(name, _number(value))
    out = console()
    out.print(title, style="bold")
    out.print(made)
    for name, group in groups.items():
        columns = list(next(iter(group.values())))
        tasks = table(name.replace("_", " "), *columns, numbers=len(columns))
        for task, numbers in group.items():
            tasks.add_row(task, *(_number(numbers[column]) for column in columns))
        out.print()
        out.print(tasks)


def _number(value: float | int | None) -> str:
    if value is None or math.isnan(value):
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4g}"
