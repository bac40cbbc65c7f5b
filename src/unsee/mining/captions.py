"""Captions: what the target model says about each picture, or what the user brings along."""

from __future__ import annotations

import json
import os
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import torch
from PIL import Image

from unsee.data.example import Example
from unsee.data.paths import placed
from unsee.data.pictures import FORMATS
from unsee.errors import InputError
from unsee.system.files import numbered_jsonl, read_text
from unsee.system.limits import NEW_TOKENS
from unsee.vlm.generate import Said, answers, decoded
from unsee.vlm.load import LoadedModel

PROMPT = "Please describe the image."
SEPARATOR = " ### "  # between the columns of the files released with the paper


@dataclass(frozen=True, slots=True)
class Source:
    """One picture to be mined."""

    image: str  # relative to the folder of images, with forward slashes
    caption: str | None = None  # as the user gave it; None is for the model to say
    question: str | None = None  # what the caption answers, where the user says so


@dataclass(frozen=True, slots=True)
class Decoding:
    """How captions are generated.

    Attributes:
        max_new_tokens: captions are cut there.
        temperature: 0 takes the likeliest token; above, tokens are sampled.
        seed: of the sampling.
    """

    max_new_tokens: int = NEW_TOKENS
    temperature: float = 0.0
    seed: int = 0


def pictures_in(folder: Path) -> list[Source]:
    """Every picture file below a folder, by name; see `passed_over` for the other files.

    Raises:
        InputError: there is no such folder, or no file in it is named like a picture.
    """
    if not folder.is_dir():
        raise InputError(f"--images {folder}: no such folder")
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if _why_not(path) == "")
    if not names:
        raise InputError(f"--images {folder}: no picture in it ({', '.join(FORMATS)} are understood)")
    return [Source(name) for name in names]


def passed_over(folder: Path) -> Counter[str]:
    """How many files below a folder are not taken for pictures because of their names, by reason."""
    return Counter(reason for path in folder.rglob("*") if (reason := _why_not(path)))


def _why_not(path: Path) -> str | None:
    """Why a file is not taken for a picture; empty for one that is, None for a folder."""
    if path.is_dir():
        return None
    if path.name.startswith("."):
        return "hidden"
    ending = path.suffix.lower()
    if ending in _endings():
        return ""
    return f"named {ending[:20]}" if ending else "named without an ending"


@cache
def _endings() -> frozenset[str]:
    Image.init()
    return frozenset(ending for ending, name in Image.EXTENSION.items() if name in FORMATS)


def read_captions(path: Path, images: Path | None = None) -> list[Source]:
    """Captions that the user brings.

    Args:
        path: JSON Lines with image and caption (and question, where it is known), or lines `image ### caption` in a
            file with another ending than .jsonl, as released with the paper.
        images: the folder of the pictures, whose files may be called a little otherwise (backslashes, say).

    Raises:
        InputError: the file cannot be read, a row lacks something or is no whole text, or there is none.
    """
    rows = _from_jsonl(path) if path.suffix.lower() in (".jsonl", ".json", ".ndjson") else _from_lines(path)
    if not rows:
        raise InputError(f"{path}: holds no captions")
    if images is None:
        return rows
    return [replace(row, image=_within(images, row.image)) for row in rows]


def _within(images: Path, name: str) -> str:
    """A picture's path from the folder of pictures; of one that is named in full, by whatever link that folder is."""
    path = placed(name, images)
    if not Path(name).is_absolute():
        return Path(os.path.relpath(path, images)).as_posix()
    path = Path(os.path.realpath(path.parent)) / path.name
    return Path(os.path.relpath(path, os.path.realpath(images))).as_posix()


def _from_jsonl(path: Path) -> list[Source]:
    rows = []
    for number, row in numbered_jsonl(path):
        for key, needed in (("image", True), ("caption", True), ("question", False)):
            value = row.get(key)
            if not isinstance(value, str) and (needed or value is not None):
                kind = "missing" if value is None else f"{type(value).__name__} where text is expected"
                raise InputError(f"{path}, line {number}: {key} is {kind}; a row is {{image, caption}}")
        for key in ("caption", "question"):
            check_whole(row.get(key) or "", f"{path}, line {number}: {key}")
        rows.append(Source(row["image"], row["caption"], row.get("question")))
    return rows


def check_whole(text: str, where: str) -> None:
    """InputError for text that no file can hold, since JSON can say half of a surrogate pair and UTF-8 cannot."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"{where}: half a surrogate pair at character {error.start + 1}; repair the text") from error


def _from_lines(path: Path) -> list[Source]:
    rows = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            image, separator, caption = line.removesuffix("\r").partition(SEPARATOR)
            if not separator:
                raise InputError(f"{path}, line {number}: no {SEPARATOR.strip()} in it; a line is: image ### caption")
            rows.append(Source(image.strip(), caption))
    return rows


def generate(loaded: LoadedModel, examples: Sequence[Example], decoding: Decoding) -> list[Said]:
    """What the model says to each example, in one batch.

    Args:
        loaded: the model, in evaluation mode.
        examples: image and question; the answers do not matter.
        decoding: greedy, or sampled by a seed and the examples themselves: the same batch gives the same captions.
    """
    if decoding.temperature == 0:
        return answers(loaded.model, loaded.encoder, examples, decoding.max_new_tokens)
    return _sampled(loaded, examples, decoding)


@torch.no_grad()
def _sampled(loaded: LoadedModel, examples: Sequence[Example], decoding: Decoding) -> list[Said]:
    from transformers import GenerationConfig

    encoder, model = loaded.encoder, cast(Any, loaded.model)
    inputs = encoder.batch(examples, with_answers=False).to(loaded.device).inputs
    config = GenerationConfig(
        do_sample=True,
        temperature=decoding.temperature,
        top_k=0,
        top_p=1.0,
        num_beams=1,
        repetition_penalty=1.0,
        max_new_tokens=decoding.max_new_tokens,
        eos_token_id=sorted(encoder.end_of_turn_ids),
        pad_token_id=encoder.pad_token_id,
    )
    with torch.random.fork_rng(devices=[loaded.device] if loaded.device.type == "cuda" else []):
        torch.manual_seed(_seed(examples, decoding.seed))
        tokens = model.generate(**inputs, generation_config=config)
    return decoded(encoder, tokens[:, inputs["input_ids"].shape[1] :].tolist())


def _seed(examples: Sequence[Example], seed: int) -> int:
    """A seed of its own for each batch, the same after a resume."""
    return zlib.crc32(json.dumps([seed, *[str(example.id) for example in examples]]).encode())
