"""The file of weighted spans: what is written is read again, and what is wrong is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unsee.errors import InputError
from unsee.hallucination.spans import CaptionRow, Sentence, Span, read_spans, write_spans

CAPTION = "Un \U0001f431 cat ### <b>&amp;</b>\u2028 and a dog."


def row(folder: Path, **changes: Any) -> CaptionRow:
    start = CAPTION.index("cat")
    span = Span(start, start + 3, "negative", 21.25, 2.0, ("cat", "cat"))
    given = {"spans": (span,), "sentence": Sentence("positive", 28.5, 21.25), "unit": "probability"}
    return CaptionRow(folder / "photos" / "1.png", "What?", CAPTION, **{**given, **changes})


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    rows = [row(tmp_path), row(tmp_path, spans=(), sentence=Sentence(), unit="cosine_100")]
    write_spans(tmp_path / "run" / "spans.jsonl", rows)
    read = list(read_spans(tmp_path / "run" / "spans.jsonl"))
    assert [(r.question, r.caption, r.spans, r.sentence, r.unit) for r in read] == [
        (r.question, r.caption, r.spans, r.sentence, r.unit) for r in rows
    ]
    assert read[0].image.resolve() == rows[0].image.resolve()


def test_places_count_characters_and_not_bytes(tmp_path: Path) -> None:
    write_spans(tmp_path / "spans.jsonl", [row(tmp_path)])
    (read,) = read_spans(tmp_path / "spans.jsonl")
    assert read.caption[read.spans[0].start : read.spans[0].end] == "cat"


def test_images_are_found_from_the_folder_of_the_file(tmp_path: Path) -> None:
    write_spans(tmp_path / "a" / "b" / "spans.jsonl", [row(tmp_path)])
    stored = json.loads((tmp_path / "a" / "b" / "spans.jsonl").read_text())
    assert stored["image"] == "../../photos/1.png"


def test_a_row_is_an_example_whose_answer_is_the_caption(tmp_path: Path) -> None:
    example = row(tmp_path).example()
    assert (example.question, example.answer, example.image) == ("What?", CAPTION, tmp_path / "photos" / "1.png")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"caption": None}, "caption is missing"),
        ({"unit": "logits"}, "unit is 'logits'"),
        ({"spans": {}}, "spans is dict"),
        ({"spans": [{"start": 5, "end": 500, "role": "negative", "score": 1}]}, r"span 1: \[5, 500\)"),
        ({"spans": [{"start": 5, "end": 5, "role": "negative", "score": 1}]}, r"span 1: \[5, 5\)"),
        ({"spans": [{"start": 0, "end": 5, "role": "bad", "score": 1}]}, "role is 'bad'"),
        ({"spans": [{"start": 0, "end": 5, "role": "negative", "score": None}]}, "score is None"),
        ({"sentence": {"role": "maybe"}}, "role of the sentence is 'maybe'"),
    ],
)
def test_a_wrong_row_is_refused_with_its_line(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = tmp_path / "spans.jsonl"
    write_spans(path, [row(tmp_path)])
    path.write_text(path.read_text() + json.dumps({**json.loads(path.read_text()), **change}) + "\n")
    with pytest.raises(InputError, match=f"line 2.*{said}"):
        list(read_spans(path))
