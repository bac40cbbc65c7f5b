"""Retain rows where a user has none: what the model itself says, about other pictures and in answer to plain questions.

Trained on its own answers, a model is held where it was (self-distillation); nothing new is taught. Rows that show a
picture to be forgotten, or that mention somebody who is, are left out, and so are answers that were cut or are empty.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from unsee.data import Example
from unsee.data.pictures import image_hash
from unsee.errors import InputError
from unsee.metrics.answers import normalise
from unsee.mining.captions import Decoding, generate, pictures_in
from unsee.mining.stages import Row, Stage
from unsee.system import processes
from unsee.system.files import write_jsonl
from unsee.system.launch import check_launch
from unsee.system.limits import NEW_TOKENS
from unsee.vlm import Encoder, LoadedModel, load
from unsee.vlm.pretrained import fingerprint

SHARD = 64  # rows that are made and kept together: what an interruption costs at most

ABOUT_PICTURES = (
    "Please describe the image.",
    "What is the main thing in this picture?",
    "Which colours stand out?",
    "Is this indoors or outdoors?",
    "Describe the background.",
    "What is happening here?",
    "How many people are there in this picture?",
    "What is the mood of this picture?",
)

IN_WORDS = (
    "What is the capital of France?",
    "How many days does a week have?",
    "What colour do blue and yellow make?",
    "Which is larger, the sun or the moon?",
    "What do bees make?",
    "Name three fruits.",
    "What is the opposite of cold?",
    "How many legs does a spider have?",
    "What is water made of?",
    "In which direction does the sun rise?",
    "What is seven times eight?",
    "What is a doctor's job?",
    "Write one sentence about the sea.",
    "Which season follows winter?",
    "What do plants need to grow?",
    "Name a musical instrument with strings.",
    "How many minutes are there in two hours?",
    "What is the past tense of 'go'?",
    "Which animal is known for its long neck?",
    "What is bread made from?",
    "Name a planet other than Earth.",
    "What is a library for?",
    "How do you say hello in Spanish?",
    "What is the largest ocean?",
    "Why do people wear coats in winter?",
    "What comes after the letter Q?",
    "Give a word that rhymes with 'light'.",
    "What is ice?",
    "Name a country in Africa.",
    "What tool is used to drive a nail?",
    "Who writes books?",
    "What is half of ninety?",
)


@dataclass(frozen=True)
class Asking:
    """What a model is asked to make retain rows.

    Attributes:
        model: folder or hub id.
        out: the file of rows.
        images: folder of pictures, each asked about `per_picture` times; None asks in words alone.
        per_picture: questions per picture, taken in turn.
        questions: those about pictures; None for `ABOUT_PICTURES`.
        in_words: questions without a picture.
        forget: what is to be forgotten: its pictures and subjects are kept out.
        batch_size: rows per forward pass.
        max_new_tokens: longer answers are left out.
        dtype: of the weights.
        trust_remote_code: run code that comes with the model.
    """

    model: str
    out: Path
    images: Path | None = None
    per_picture: int = 2
    questions: Sequence[str] | None = None
    in_words: Sequence[str] = IN_WORDS
    forget: Sequence[Example] = ()
    batch_size: int = 16
    max_new_tokens: int = NEW_TOKENS
    dtype: str = "float32"
    trust_remote_code: bool = False


class _Answered(BaseModel):
    answer: str
    truncated: bool | None


class _Left(BaseModel):
    skipped: str


def make_retain(asking: Asking) -> dict[str, Any]:
    """Ask the model and write its answers as rows; an interrupted making goes on from its last shard.

    Several processes take turns with the shards.

    Returns:
        `rows` that were written, `asked`, and how many were `left_out`, by reason.

    Raises:
        InputError: when the model or the pictures cannot be used, the file exists, or no answer is left.
    """
    check_launch()
    processes.join()
    with processes.as_one():
        if asking.out.exists():
            raise InputError(f"--out: {asking.out} exists already; give another name, or remove it")
        asked, left_out = _asked(asking)
        if not asked:
            raise InputError("--images: every picture in it is to be forgotten; give a folder with others")
    stage = Stage(asking.out.with_name(f".{asking.out.name}.unfinished"), len(asked), SHARD, _Answered, _Left)
    maker, missing = _Maker(asking, asked), processes.agreed(bool(stage.missing()))
    with processes.as_one():
        if missing:
            maker.load()
        how = maker.how()
    stage.run(how, maker.rows, "asking the model")
    with processes.as_one():
        made = _keep(asking, asked, stage, left_out) if processes.is_main() else {}
    return processes.agreed(made)


def _keep(asking: Asking, asked: Sequence[Example], stage: Stage, left_out: Counter[str]) -> dict[str, Any]:
    """Write the answers that can be rows, and take away the stage; what `make_retain` returns."""
    kept = []
    for example, row in zip(asked, stage, strict=True):
        if reason := row.get("skipped") or _unfit(row, asking.forget):
            left_out[reason] += 1
        else:
            kept.append(replace(example, answer=row["answer"]))
    if not kept:
        reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
        raise InputError(f"no answer of {asking.model} can be kept ({reasons}); give other --images or --questions")
    write_jsonl(asking.out, (_row(example, asking.out.parent) for example in kept))
    shutil.rmtree(stage.folder)
    return {"rows": len(kept), "asked": len(asked) + left_out["shows a picture to be forgotten"], "left_out": left_out}


def _asked(asking: Asking) -> tuple[list[Example], Counter[str]]:
    """The questions, each picture's behind one another; and how many pictures are to be forgotten."""
    asked, left_out = [], Counter[str]()
    forgotten = {image_hash(example.image) for example in asking.forget} - {None}
    questions = tuple(asking.questions or ABOUT_PICTURES)
    for place, source in enumerate(pictures_in(asking.images) if asking.images else ()):
        assert asking.images is not None
        path = asking.images / source.image
        if image_hash(path) in forgotten:
            left_out["shows a picture to be forgotten"] += 1
            continue
        for turn in range(min(asking.per_picture, len(questions))):
            question = questions[(place * asking.per_picture + turn) % len(questions)]
            asked.append(Example(question, "", path, id=source.image))
    asked += [Example(question, "", id=f"words {place}") for place, question in enumerate(asking.in_words)]
    return asked, left_out


def _row(example: Example, folder: Path) -> Row:
    """The row of an example, which names its picture from the folder of the file."""
    image = os.path.relpath(example.image, folder) if isinstance(example.image, Path) else None
    return {"image": image, "question": example.question, "answer": example.answer, "id": example.id}


def _unfit(row: Row, forget: Sequence[Example]) -> str:
    """Why an answer cannot be a retain row; empty when it can."""
    if row["truncated"]:
        return "cut at max_new_tokens"
    answer = normalise(row["answer"])
    if not answer:
        return "empty"
    # Anywhere, for not all scripts have blanks between words; a row too few does no harm.
    names = {name for example in forget if (name := normalise(example.subject or ""))}
    return "mentions who is to be forgotten" if any(name in answer for name in names) else ""


class _Maker:
    """Asks a model; loads it only where something is missing."""

    def __init__(self, asking: Asking, asked: Sequence[Example]) -> None:
        self._asking, self._examples = asking, asked
        self._loaded: LoadedModel | None = None

    def load(self) -> None:
        """InputError when the model cannot be used."""
        asking = self._asking
        loaded = load(asking.model, dtype=asking.dtype, trust_remote_code=asking.trust_remote_code)
        loaded.model.eval()
        loaded.encoder.check([Example(question, "") for question in asking.in_words], "questions")
        keep = asking.batch_size  # every picture is shown in one batch or two: there is no use in keeping more
        self._loaded = replace(loaded, encoder=Encoder(loaded.processor, loaded.encoder.end_of_turn_ids, keep=keep))

    def how(self) -> Row:
        """What the rows depend on."""
        asking, listing = self._asking, hashlib.sha256()
        for example in self._examples:
            listing.update(repr((example.id, example.question)).encode("utf-8", "backslashreplace"))
        weights = {"model": asking.model, "fingerprint": fingerprint(asking.model), "dtype": asking.dtype}
        return {**weights, "listing": listing.hexdigest(), "max_new_tokens": asking.max_new_tokens}

    def rows(self, start: int, end: int) -> Iterator[Row]:
        """The answers to the questions from `start` to `end`."""
        for at in range(start, end, self._asking.batch_size):
            yield from self._batch(self._examples[at : min(at + self._asking.batch_size, end)])

    def _batch(self, examples: Sequence[Example]) -> list[Row]:
        assert self._loaded is not None
        rows: list[Row] = []
        fit = []
        for example in examples:
            try:
                self._loaded.encoder.encode(example)
            except InputError:
                rows.append({"skipped": "a picture that cannot be read"})
            else:
                rows.append({})
                fit.append(example)
        decoding = Decoding(self._asking.max_new_tokens)
        answers = iter(generate(self._loaded, fit, decoding) if fit else [])
        return [row if row else _answer(next(answers)) for row in rows]


def _answer(answer: Any) -> Row:
    return {"answer": answer.text, "truncated": answer.truncated}
