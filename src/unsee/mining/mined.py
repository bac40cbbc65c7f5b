"""The rows of a mining as its stages hold them: each of its kind, and those of one picture about the same caption."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from unsee.errors import InputError
from unsee.mining.stages import Row
from unsee.system.typed import read_typed_rows


class Left(BaseModel):
    """A row about a picture that was left out."""

    image: str
    skipped: str  # why


class Said(BaseModel):
    """What the model says about a picture."""

    image: str
    question: str
    caption: str
    truncated: bool = False


class Place(BaseModel):
    """A phrase in its caption; see `unsee.metrics.lexicon.Phrase`."""

    start: int
    end: int
    text: str


class Named(BaseModel):
    """The object phrases of a caption."""

    image: str
    phrases: list[Place]
    dropped: int


class Scored(BaseModel):
    """What a scorer says of each phrase; None where it would not read it to its end."""

    image: str
    scores: list[float | None]


KINDS = {"captions": Said, "phrases": Named, "relevance": Scored, "relevance2": Scored}


def read_mined(run: Path, stage: str = "relevance") -> Iterator[tuple[Row, Row, Row]]:
    """Caption, phrases and scores of each picture that a mining has scored so far and not left out.

    Args:
        run: folder of the mining.
        stage: "relevance", or "relevance2" for those of the second scorer.

    Raises:
        InputError: a shard is missing or is not what mining wrote; the message names file, line and field.
    """
    for path in sorted((run / stage).glob("*.jsonl")):
        names = ("captions", "phrases", stage)
        captioned, named, scored = (read_typed_rows(run / name / path.name, KINDS[name], Left) for name in names)
        if not len(captioned) == len(named) == len(scored):
            raise InputError(
                f"{path}: {len(scored)} rows, where captions and phrases are {len(captioned)} and {len(named)}"
            )
        for number, rows in enumerate(zip(captioned, named, scored, strict=True), start=1):
            if "skipped" not in rows[2]:
                check_rows(*rows, f"{path}, row {number}")
                yield rows


def check_rows(said: Row, named: Row, scored: Row, where: str) -> None:
    """InputError unless the three rows of a picture that was scored belong together.

    Args:
        said: its caption.
        named: its phrases.
        scored: their scores.
        where: how a message calls the last one.
    """
    told: list[tuple[str, Any, Any]] = [
        ("skipped", "skipped" in said or "skipped" in named, False),
        ("image", {said["image"], named["image"]}, {scored["image"]}),
    ]
    wrong = next((name for name, value, other in told if value != other), None)
    if wrong is None and len(named["phrases"]) != len(scored["scores"]):
        wrong = "scores"
    if wrong is None and any(
        said["caption"][phrase["start"] : phrase["end"]] != phrase["text"] for phrase in named["phrases"]
    ):
        wrong = "phrases"
    if wrong is not None:
        raise InputError(f"{where}: {wrong} is not what its caption and its phrases say; the files are not as written")
