"""Weighted spans: what mining hands to training, one caption per line.

The file is JSON Lines, and `unsee.data.load_examples` reads it. A row is one caption with the places in it that are
to become likelier or less likely:

    {"image": "../photos/3.jpg", "question": "Describe the image.", "caption": "A cat, and a dog on a sofa.",
     "unit": "cosine_100",
     "spans": [{"start": 0, "end": 5, "role": "positive", "weight": 1.0, "score": 33.4, "phrases": ["cat"]},
               {"start": 6, "end": 26, "role": "negative", "weight": 1.0, "score": 21.9, "phrases": ["dog"]}],
     "sentence": {"role": null, "score": 27.65, "lowest": 21.9}}

- `image` is a path; a relative one starts from the folder of the file.
- `question` is what the caption answers: the prompt of the model that was mined.
- `caption` is any text, as it was said. One that holds a special token of the model that is to be trained (`<image>`,
  `</s>`) cannot be a training row; `unsee unlearn` leaves it out and counts it.
- `start` and `end` count characters (Unicode code points): `caption[start:end]` is the span. Spans of one role do not
  repeat one another. Spans of different roles overlap only if mining was asked for that (`both`).
- `role` is "positive" (an object that is there: raise) or "negative" (a hallucinated one: unlearn).
- `weight` is how many phrases the span stands for: where the paper has a training row for each phrase, this has one
  span of that weight. What a caption says several times has its weight spread over the places. `score` is the mean
  score of these phrases, in `unit`.
- `sentence` is about the whole caption: `role` "positive" keeps it as it is (the sentence loss), "negative" unlearns it
  as a whole (an ablation), null leaves it alone. `score` is the mean over all phrases of the caption, `lowest` their
  minimum; both are null for a caption without phrases.
- `unit` says what scores are: "cosine_100" is 100 times a cosine, "probability" lies in [0, 1].
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from unsee.system.files import write_jsonl

Role = Literal["positive", "negative"]
Unit = Literal["cosine_100", "probability"]
ROLES, UNITS = get_args(Role), get_args(Unit)


@dataclass(frozen=True, slots=True)
class Span:
    """Characters [start, end) of a caption, and what shall become of them."""

    start: int
    end: int
    role: Role
    score: float  # mean over its phrases, in the row's unit
    weight: float = 1.0  # phrases that it stands for
    phrases: tuple[str, ...] = ()  # the object phrases within, as the caption writes them


@dataclass(frozen=True, slots=True)
class Sentence:
    """What shall become of a caption as a whole."""

    role: Role | None = None
    score: float | None = None  # mean over the caption's phrases
    lowest: float | None = None  # their minimum


@dataclass(frozen=True, slots=True)
class CaptionRow:
    """A caption with its spans."""

    image: Path
    question: str
    caption: str
    spans: tuple[Span, ...]
    sentence: Sentence = Sentence()
    unit: Unit = "cosine_100"

    def of_role(self, role: Role) -> list[Span]:
        """The spans of one role, in order."""
        return [span for span in self.spans if span.role == role]


def write_spans(path: Path, rows: Iterable[CaptionRow]) -> None:
    """Write a file of weighted spans, atomically. Images are named relative to its folder."""
    folder = Path(path).absolute().parent
    write_jsonl(path, (_to_json(row, folder) for row in rows))


def relative(image: Path, folder: Path) -> str:
    """The path of an image as seen from a folder; whole where there is no such way (another drive)."""
    try:
        return Path(os.path.relpath(image, folder)).as_posix()
    except ValueError:
        return Path(os.path.abspath(image)).as_posix()


def _to_json(row: CaptionRow, folder: Path) -> dict[str, Any]:
    return {
        "image": relative(row.image, folder),
        "question": row.question,
        "caption": row.caption,
        "unit": row.unit,
        "spans": [
            {
                "start": span.start,
                "end": span.end,
                "role": span.role,
                "weight": span.weight,
                "score": span.score,
                "phrases": list(span.phrases),
            }
            for span in row.spans
        ],
        "sentence": {"role": row.sentence.role, "score": row.sentence.score, "lowest": row.sentence.lowest},
    }
