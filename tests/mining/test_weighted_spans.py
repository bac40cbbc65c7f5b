"""The file of weighted spans: what is written is what training reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests import tiny
from unsee.data import load_examples
from unsee.data.example import AnswerSpan
from unsee.mining.weighted_spans import CaptionRow, Sentence, Span, write_spans

CAPTION = "Un \U0001f431 cat ### <b>&amp;</b>\u2028 and a dog."
START = CAPTION.index("cat")


def row(folder: Path, **changes: Any) -> CaptionRow:
    image = folder / "photos" / "1.png"
    image.parent.mkdir(exist_ok=True)
    image.write_bytes(tiny.picture(1))
    span = Span(START, START + 3, "negative", 21.25, 2.0, ("cat", "cat"))
    given = {"spans": (span,), "sentence": Sentence("positive", 28.5, 21.25), "unit": "probability"}
    return CaptionRow(image, "What?", CAPTION, **{**given, **changes})


def test_training_reads_what_is_written(tmp_path: Path) -> None:
    write_spans(tmp_path / "run" / "spans.jsonl", [row(tmp_path), row(tmp_path, spans=(), sentence=Sentence())])
    first, second = load_examples(tmp_path / "run" / "spans.jsonl")
    assert (first.question, first.answer) == ("What?", CAPTION)
    assert isinstance(first.image, Path)
    assert first.image.resolve() == (tmp_path / "photos" / "1.png").resolve()
    assert first.spans == (
        AnswerSpan(START, START + 3, "negative", 2.0, 21.25, phrases=("cat", "cat")),
        AnswerSpan(0, len(CAPTION), "sentence", 1.0, 28.5),
    )
    assert second.spans == ()


def test_places_count_characters_and_not_bytes(tmp_path: Path) -> None:
    write_spans(tmp_path / "spans.jsonl", [row(tmp_path)])
    (read,) = load_examples(tmp_path / "spans.jsonl")
    assert read.answer[read.spans[0].start : read.spans[0].end] == "cat"


def test_images_are_found_from_the_folder_of_the_file(tmp_path: Path) -> None:
    write_spans(tmp_path / "a" / "b" / "spans.jsonl", [row(tmp_path)])
    stored = json.loads((tmp_path / "a" / "b" / "spans.jsonl").read_text())
    assert stored["image"] == "../../photos/1.png"
