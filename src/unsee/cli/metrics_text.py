"""What `unsee metrics text` reads and prints: how varied captions are, and how close to references."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from unsee.errors import InputError
from unsee.metrics.answers import rouge
from unsee.metrics.text import bleu, distinct_n
from unsee.metrics.words import words
from unsee.system.files import numbered_jsonl, read_json


def text_scores(captions: Path, references: Path | None = None) -> dict[str, Any]:
    """What `unsee metrics text` prints.

    Args:
        captions: JSON Lines of image_id and caption.
        references: JSON, {image_id: [text, ...]}; a lone text is as good as a list of one.

    Returns:
        captions, mean_words, distinct_1 and distinct_2 in [0, 1]; with references also bleu_1 to bleu_4 over words, and
        rouge_1_f1 and rouge_l_f1: for each caption that of the reference it is closest to, then the mean.

    Raises:
        InputError: a file is broken, or a caption's image has no reference.
    """
    pairs = _captions(captions)
    texts = [text for _, text in pairs]
    scores: dict[str, Any] = {
        "captions": len(texts),
        "mean_words": fmean(len(words(text)) for text in texts),
        "distinct_1": distinct_n(texts, 1),
        "distinct_2": distinct_n(texts, 2),
    }
    if references is not None:
        by_image = _references(references)
        if missing := [image for image, _ in pairs if image not in by_image]:
            raise InputError(f"{references}: has no reference for image {missing[0]!r}, which {captions} describes")
        expected = [by_image[image] for image, _ in pairs]
        scores |= {f"bleu_{n}": bleu(texts, expected, max_n=n) for n in range(1, 5)}
        rouge_scores = [
            [rouge(text, reference) for reference in given] for text, given in zip(texts, expected, strict=True)
        ]
        scores["rouge_1_f1"] = fmean(max(score.rouge1_f1 for score in row) for row in rouge_scores)
        scores["rouge_l_f1"] = fmean(max(score.rouge_l_f1 for score in row) for row in rouge_scores)
    return scores


def _captions(path: Path) -> list[tuple[str, str]]:
    captions = []
    for number, row in numbered_jsonl(path):
        image, text = row.get("image_id", row.get("image")), row.get("caption")
        if isinstance(image, bool) or not isinstance(image, int | str) or not isinstance(text, str):
            raise InputError(f'{path}, line {number}: a row is {{"image_id": name or number, "caption": text}}')
        captions.append((str(image), text))
    if not captions:
        raise InputError(f"{path}: holds no captions; each line is an object with image_id and caption")
    return captions


def _references(path: Path) -> dict[str, list[str]]:
    given = read_json(path)
    if not isinstance(given, Mapping):
        raise InputError(f"{path}: must be one JSON object that maps each image id to its list of references")
    references = {}
    for image, texts in given.items():
        listed = [texts] if isinstance(texts, str) else texts
        if not isinstance(listed, list) or not listed or not all(isinstance(text, str) for text in listed):
            raise InputError(f"{path}: image {image!r} has no list of texts; give one or more references")
        references[image] = listed
    return references
