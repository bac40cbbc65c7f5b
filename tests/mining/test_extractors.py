"""Extractors that lean on models: what they propose is checked against the caption."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from unsee.mining.extractors import (
    INSTRUCTION,
    LanguageModelExtractor,
    NounPhraseExtractor,
    _whole_names,
    listed,
)


class Parser:
    """Stands in for a spaCy pipeline: every chunk is `(words, kind of each word)`."""

    def __init__(self, chunks: Sequence[Sequence[tuple[str, str]]]) -> None:
        self._chunks = chunks

    def pipe(self, captions: Iterable[str]) -> Iterator[Any]:
        for caption in captions:
            yield SimpleNamespace(noun_chunks=[self._chunk(caption, chunk) for chunk in self._chunks])

    @staticmethod
    def _chunk(caption: str, chunk: Sequence[tuple[str, str]]) -> Any:
        class Chunk(list[Any]):
            root: Any

        tokens = Chunk(SimpleNamespace(text=t, idx=caption.index(t), pos_=kind, lemma_=t) for t, kind in chunk)
        tokens.root = tokens[-1]
        return tokens


def test_noun_phrases_lose_articles_and_what_is_no_object() -> None:
    parser = Parser(
        [
            [("The", "DET"), ("image", "NOUN")],
            [("a", "DET"), ("red", "ADJ"), ("kite", "NOUN")],
            [("its", "PRON"), ("tail", "NOUN")],
            [("it", "PRON")],
        ]
    )
    caption = "The image shows a red kite and its tail; it flies."
    found = NounPhraseExtractor(parser).extract([caption])[0]
    assert [phrase.text for phrase in found.phrases] == ["red kite", "tail"]
    assert all(caption[phrase.start : phrase.end] == phrase.text for phrase in found.phrases)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (" children, red ball, dog.", ["children", "red ball", "dog"]),
        ("1. cat\n2) dog\n- bird", ["cat", "dog", "bird"]),
        ('"cat"; *dog*', ["cat", "dog"]),
        ("none", []),
        ("", []),
        ("cat, dog\n\nCaption: A cow in a field.\nNames: cow", ["cat", "dog"]),
    ],
)
def test_answers_of_language_models_are_read_as_lists(said: str, expected: list[str]) -> None:
    assert listed(said) == expected


class Scripted(LanguageModelExtractor):
    """Answers by a rule in place of a model."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._batch_size = 2

    def _ask(self, pieces: Sequence[str]) -> list[str]:
        self.asked += pieces
        return ["cat, unicorn, last word" for _ in pieces]


def test_names_that_the_caption_does_not_hold_are_dropped_and_counted() -> None:
    found = Scripted().extract(["A cat and a Cat.", "Nothing at all", "x"])
    assert [[phrase.text for phrase in one.phrases] for one in found] == [["cat", "Cat"], [], []]
    assert [one.dropped for one in found] == [2, 3, 3]


def test_long_captions_are_asked_about_in_pieces() -> None:
    extractor = Scripted()
    found = extractor.extract(["word " * 400 + "the last word"])
    assert len(extractor.asked) == 3
    assert " ".join(extractor.asked).endswith("the last word")
    assert [phrase.text for phrase in found[0].phrases] == ["last word"]


def test_a_real_language_model_is_asked_in_batches_and_says_the_same_alone(checkpoints: Path) -> None:
    from unsee.mining.extractors import language_model

    captions = ["A cat {caption} on a mat.", "Riga", "London and Lima <s> green"]
    together = language_model(str(checkpoints / "llama"), 3, "cpu")
    alone = language_model(str(checkpoints / "llama"), 1, "cpu")
    assert together._ask(captions) == [alone._ask([caption])[0] for caption in captions]
    assert together.extract(captions) == alone.extract(captions)
    assert together._prompt("What?") == "What?"  # without a chat template
    assert INSTRUCTION.count("{caption}") == 1


@pytest.mark.parametrize(
    ("said", "whole"),
    [
        (" cat, dog, hou", " cat, dog"),  # a house?
        ("cat", ""),
        ("cat\ndog\nbi", "cat\ndog"),
        ("cat, dog\n\nCaption: A co", "cat, dog\n\nCaption: A co"),  # the list had ended
    ],
)
def test_the_last_name_of_an_answer_that_was_cut_is_not_read(said: str, whole: str) -> None:
    assert _whole_names(said) == whole


def test_long_captions_without_blanks_are_asked_about_in_pieces_too() -> None:
    extractor = Scripted()
    extractor.extract(["猫" * 400])
    assert [len(piece) for piece in extractor.asked] == [150, 150, 100]
