"""The files that were released with EFUF, read and written (arXiv 2402.09801; its data set is efuf-unlearning-30k).

    captions.txt     image ### caption
    objects.txt      image ### rank ### phrase, phrase
    norm.npy         for each line of objects.txt the scores of its phrases
    pos_neg.json     [{"image", "sentence": caption up to the end of the target, "position": its start, "score"}]
    sentences.json   [{"image", "sentence", "mean", "min"}]

These formats know one line for a caption: line breaks in it become blanks.
"""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unsee.data.paths import placed
from unsee.errors import InputError
from unsee.metrics.lexicon import Phrase, locate
from unsee.mining.captions import PROMPT, SEPARATOR, check_whole, read_captions
from unsee.mining.mined import read_mined
from unsee.mining.object_arrays import read_ragged
from unsee.mining.selection import Conflict, Thresholds, around, select
from unsee.mining.stages import Row
from unsee.mining.weighted_spans import CaptionRow, Sentence, Span
from unsee.system.files import read_json, read_text, write_bytes, write_json, write_text


def read_released(
    folder: Path, images: Path, thresholds: Thresholds, conflict: Conflict = "narrow", question: str = PROMPT
) -> list[CaptionRow]:
    """Weighted spans from released files: from captions, objects and scores where they are there, else from samples.

    Args:
        folder: with captions.txt, objects.txt and norm.npy; or with pos_neg.json and sentences.json.
        images: folder that the names of pictures start from.
        thresholds: what scores mean.
        conflict: policy for spans of both kinds, where phrases are known.
        question: what the captions answer.

    Raises:
        InputError: neither set of files is there, or one of them is broken.
    """
    if all((folder / name).is_file() for name in ("captions.txt", "objects.txt", "norm.npy")):
        rows = _from_scores(folder, images, thresholds, conflict, question)
    elif (folder / "pos_neg.json").is_file():
        rows = _from_samples(folder, images, thresholds, question)
    else:
        raise InputError(f"{folder}: needs captions.txt, objects.txt and norm.npy, or pos_neg.json")
    return [row for row in rows if row.spans or row.sentence.role]


def _from_scores(
    folder: Path, images: Path, thresholds: Thresholds, conflict: Conflict, question: str
) -> Iterator[CaptionRow]:
    objects, scores = read_objects(folder / "objects.txt"), read_ragged(folder / "norm.npy")
    captions = _captions_for(folder, [image for image, _ in objects])
    if len(objects) != len(scores):
        raise InputError(f"{folder}: objects.txt has {len(objects)} lines, norm.npy scores for {len(scores)}")
    for (image, phrases), own, caption in zip(objects, scores, captions, strict=True):
        if len(own) != len(phrases):
            continue  # as released: pictures without windows have no scores
        by_phrase = {" ".join(phrase.lower().split()): float(score) for phrase, score in zip(phrases, own, strict=True)}
        places = locate(caption, phrases).phrases
        place_scores = [by_phrase[" ".join(place.text.lower().split())] for place in places]
        spans, sentence = select(caption, places, place_scores, thresholds, conflict)
        yield CaptionRow(placed(image, images), question, caption, spans, sentence, thresholds.unit or "cosine_100")


def _captions_for(folder: Path, images: Sequence[str]) -> list[str]:
    """The caption of each line of objects.txt, whose images are given.

    Files of the same pictures line by line belong together line by line, so a picture may have several captions. Else
    captions are found by their picture, which then may have but one.
    """
    sources = read_captions(folder / "captions.txt")
    if [source.image for source in sources] == list(images):
        return [source.caption or "" for source in sources]
    known: dict[str, list[str]] = defaultdict(list)
    for source in sources:
        known[source.image].append(source.caption or "")
    times = Counter(images)
    for number, image in enumerate(images, start=1):
        where = f"{folder / 'objects.txt'}, line {number}"
        if image not in known:
            raise InputError(f"{where}: no caption of {image} in captions.txt")
        if times[image] > 1 or len(known[image]) > 1:
            raise InputError(
                f"{where}: {image} comes {times[image]} times here and {len(known[image])} times in captions.txt; "
                "where a picture comes more than once, both files need the same pictures line by line"
            )
    return [known[image][0] for image in images]


def read_objects(path: Path) -> list[tuple[str, list[str]]]:
    """Image and phrases of each line of objects.txt; brackets, which mark what people found hallucinated, are left
    out."""
    rows = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            columns = line.removesuffix("\r").split(SEPARATOR)
            if len(columns) < 3:
                raise InputError(f"{path}, line {number}: {len(columns)} columns; a line is: image ### rank ### a, b")
            phrases = [phrase.strip() for phrase in SEPARATOR.join(columns[2:]).split(", ")]
            unmarked = [phrase.strip("[]") for phrase in phrases if not phrase.startswith("[")]
            rows.append((columns[0].strip(), [phrase for phrase in unmarked if phrase]))
    return rows


def _from_samples(folder: Path, images: Path, thresholds: Thresholds, question: str) -> Iterator[CaptionRow]:
    samples = _rows(folder / "pos_neg.json", {"image": str, "sentence": str, "position": int, "score": (int, float)})
    whole: dict[str, dict[str, Row]] = defaultdict(dict)
    if (folder / "sentences.json").is_file():
        kinds = {"image": str, "sentence": str, "mean": (int, float), "min": (int, float)}
        for row in _rows(folder / "sentences.json", kinds):
            whole[row["image"]][row["sentence"]] = row
    if (folder / "captions.txt").is_file():
        for source in read_captions(folder / "captions.txt"):
            whole[source.image].setdefault(source.caption or "", {})
    for sample in sorted(samples, key=lambda row: -len(row["sentence"])):
        known = whole[sample["image"]]
        if not any(text.startswith(sample["sentence"]) for text in known):
            known[sample["sentence"]] = {}  # no longer text is known: the longest sample stands for the caption
    spans: dict[tuple[str, str], list[Row]] = {(image, text): [] for image, texts in whole.items() for text in texts}
    for sample in samples:
        texts = [text for text in whole[sample["image"]] if text.startswith(sample["sentence"])]
        spans[sample["image"], max(texts, key=len)].append(sample)
    for (image, caption), rows in spans.items():
        sentence = _kept(whole[image][caption], thresholds)
        merged = tuple(_merged(rows, thresholds))
        yield CaptionRow(placed(image, images), question, caption, merged, sentence, thresholds.unit or "cosine_100")


def _merged(samples: Iterable[Row], thresholds: Thresholds) -> Iterator[Span]:
    """Samples as spans; several of one place and role are one span of that weight."""
    grouped: dict[tuple[int, int, Any], list[float]] = defaultdict(list)
    for sample in samples:
        start, end, role = sample["position"], len(sample["sentence"]), thresholds.role(sample["score"])
        if role and 0 <= start < end:
            grouped[start, end, role].append(float(sample["score"]))
    for (start, end, role), scores in sorted(grouped.items()):
        yield Span(start, end, role, sum(scores) / len(scores), float(len(scores)))


def _kept(about: Row, thresholds: Thresholds) -> Sentence:
    if not about:
        return Sentence()
    mean, lowest = float(about["mean"]), float(about["min"])
    kept = mean > thresholds.sentence and (thresholds.lowest is None or lowest > thresholds.lowest)
    return Sentence("positive" if kept else None, mean, lowest)


def _rows(path: Path, kinds: dict[str, Any]) -> list[Row]:
    value = read_json(path)
    if not isinstance(value, list):
        raise InputError(f"{path}: {type(value).__name__} where a list of samples is expected")
    for number, row in enumerate(value, start=1):
        given = row if isinstance(row, dict) else {}
        wrong = next((key for key, kind in kinds.items() if not _is(given.get(key), kind)), None)
        if wrong is not None:
            raise InputError(f"{path}, sample {number}: {wrong} is missing or of a wrong kind")
    return value


def _is(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def captions_of(run: Path) -> Iterator[tuple[str, str, list[tuple[int, int, float]]]]:
    """Image, caption, and start, end and score of each phrase, from a mining; skipped pictures are left out."""
    for captioned, named, scored in read_mined(run):
        places = [(phrase["start"], phrase["end"]) for phrase in named["phrases"]]
        told = zip(places, scored["scores"], strict=True)
        yield captioned["image"], captioned["caption"], [(*place, score) for place, score in told if score is not None]


def write_released(folder: Path, captions: Iterable[tuple[str, str, Sequence[tuple[int, int, float]]]]) -> None:
    """Write all five files.

    Args:
        folder: is made where it is missing.
        captions: image, caption, and start, end and score of each phrase.

    Raises:
        InputError: a caption or the name of a picture is no text that a file can hold.
    """
    lines: list[str] = []
    objects: list[str] = []
    samples: list[Row] = []
    sentences: list[Row] = []
    scores: list[list[float]] = []
    for image, text, places in captions:
        check_whole(text, f"caption of {image!r}")
        check_whole(image, f"picture {image!r}")
        caption = text.replace("\r", " ").replace("\n", " ")  # of the same length, so that places stay
        lines.append(f"{image}{SEPARATOR}{caption}")
        names = {caption[start:end]: score for start, end, score in places}  # one name once, as released
        objects.append(f"{image}{SEPARATOR}0{SEPARATOR}{', '.join(names)}")
        scores.append(list(names.values()))
        for start, end, score in places:
            first, last = around(caption, Phrase(start, end, caption[start:end]))
            samples.append({"image": image, "sentence": caption[:last], "position": first, "score": score})
        if places:
            own = [score for _, _, score in places]
            sentences.append({"image": image, "sentence": caption, "mean": sum(own) / len(own), "min": min(own)})
    write_text(folder / "captions.txt", "".join(f"{line}\n" for line in lines))
    write_text(folder / "objects.txt", "".join(f"{line}\n" for line in objects))
    write_json(folder / "pos_neg.json", samples)
    write_json(folder / "sentences.json", sentences)
    write_bytes(folder / "norm.npy", _ragged(scores))


def _ragged(scores: Sequence[Sequence[float]]) -> bytes:
    """An object array of arrays, as the released file is. Writing one is harmless; reading is another matter."""
    array = np.empty(len(scores), dtype=object)
    for place, own in enumerate(scores):
        array[place] = np.array(own, dtype=np.float64)
    content = io.BytesIO()
    np.save(content, array, allow_pickle=True)
    return content.getvalue()
