"""From scores to spans: sub-sentences, thresholds, and what becomes of a real and a hallucinated object together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from unsee.errors import InputError
from unsee.metrics.lexicon import Phrase, locate
from unsee.mining.selection import (
    PUBLISHED,
    Conflict,
    Thresholds,
    agreed,
    around,
    read_thresholds,
    select,
    write_thresholds,
)
from unsee.mining.weighted_spans import Sentence, Span


def phrases(caption: str, *texts: str) -> tuple[Phrase, ...]:
    found = locate(caption, texts).phrases
    assert [phrase.text for phrase in found] == list(texts)
    return found


def test_sub_sentences_are_those_of_the_paper(vectors: dict[str, Any]) -> None:
    vector = vectors["subsentence"]
    for text, place in {**vector["ref"], **vector["correct_override"]}.items():
        (phrase,) = locate(vector["caption"], [text]).phrases
        assert list(around(vector["caption"], phrase)) == place, text


@pytest.mark.parametrize(
    ("caption", "phrase", "expected"),
    [
        ("A man wearing a scarf, next to a car.", "car", " next to a car"),  # [22, 36)
        ("A 3.5 kg cat sleeps.", "cat", "A 3.5 kg cat sleeps"),
        ('He said "a cat!" and left', "cat", 'He said "a cat'),
        ("- a cat\n- a dog", "dog", "- a dog"),
        ("a cat", "cat", "a cat"),
        ("\u4e00, \u4e8c\u3002cat\uff0cdog", "cat", "cat"),
    ],
)
def test_sub_sentences_end_at_punctuation_and_line_breaks(caption: str, phrase: str, expected: str) -> None:
    start, end = around(caption, phrases(caption, phrase)[0])
    assert caption[start:end] == expected


def test_limits_themselves_are_neither_real_nor_hallucinated() -> None:
    roles = [PUBLISHED.role(score) for score in (32.0, 32.01, 23.0, 22.99, 27.0)]
    assert roles == [None, "positive", None, "negative", None]


def test_phrases_of_one_sub_sentence_and_role_are_one_span_of_their_number() -> None:
    caption = "A cat and a dog, by a tree."
    found, sentence = select(caption, phrases(caption, "cat", "dog", "tree"), [20.0, 22.0, 33.0], PUBLISHED)
    assert found == (
        Span(0, 15, "negative", 21.0, 2.0, ("cat", "dog")),
        Span(16, 26, "positive", 33.0, 1.0, ("tree",)),
    )
    assert sentence == Sentence(None, 25.0, 20.0)


@pytest.mark.parametrize(
    ("conflict", "expected"),
    [
        ("narrow", [(2, 5, "positive"), (12, 15, "negative")]),
        ("drop", []),
        ("positive", [(0, 15, "positive")]),
        ("negative", [(0, 15, "negative")]),
        ("both", [(0, 15, "negative"), (0, 15, "positive")]),
    ],
)
def test_a_real_and_an_hallucinated_object_together(conflict: Conflict, expected: list[tuple[int, int, str]]) -> None:
    caption = "A cat and a dog."
    found, _ = select(caption, phrases(caption, "cat", "dog"), [33.0, 20.0], PUBLISHED, conflict)
    assert [(span.start, span.end, span.role) for span in found] == expected


@pytest.mark.parametrize("conflict", ["narrow", "both"])
def test_a_phrase_counts_once_a_caption_however_often_it_is_said(conflict: Conflict) -> None:
    caption = "A cup and a cup, a Cup. A dog and a cup."
    found = phrases(caption, "cup", "cup", "Cup", "dog", "cup")
    spans, _ = select(caption, found, [10.0, 10.0, 10.0, 40.0, 10.0], PUBLISHED, conflict)
    weights = [(span.role, span.weight) for span in spans]
    assert sorted(weights) == [("negative", 0.25), ("negative", 0.25), ("negative", 0.5), ("positive", 1.0)]


def test_sentences_are_kept_by_their_mean_and_on_request_by_their_lowest_phrase() -> None:
    caption = "A cat and a dog."
    places, scores = phrases(caption, "cat", "dog"), [32.5, 22.75]  # mean 27.625
    assert select(caption, places, scores, PUBLISHED)[1] == Sentence("positive", 27.625, 22.75)
    released = Thresholds(32, 23, 27.5, lowest=23)
    assert select(caption, places, scores, released)[1].role is None
    assert select(caption, places, [27.5, 27.5], PUBLISHED)[1].role is None
    assert select(caption, (), [], PUBLISHED)[1] == Sentence()


def test_two_scorers_have_to_agree() -> None:
    assert agreed(["positive", "negative", "positive", None], ["positive", "positive", None, None]) == [
        "positive", None, None, None,
    ]  # fmt: skip


def test_thresholds_survive_their_file_and_bad_ones_are_refused(tmp_path: Path) -> None:
    given = Thresholds(0.6, 0.1, 0.4, unit="probability")
    write_thresholds(tmp_path / "t.json", given, share=0.1)
    assert read_thresholds(tmp_path / "t.json") == given
    with pytest.raises(InputError, match=r"negative 3 is above positive 2"):
        Thresholds(2, 3, 2)
    (tmp_path / "t.json").write_text('{"positive": 1, "negative": 0, "unit": "probability"}')
    with pytest.raises(InputError, match=r"t\.json: sentence: field required"):
        read_thresholds(tmp_path / "t.json")
