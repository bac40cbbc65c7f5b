# ruff: noqa: RUF001 (letters of many scripts look like others)
"""Words of any script, counted by hand."""

from __future__ import annotations

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from unsee.metrics.words import between_words, count_words, rouge_tokens, runs, without_half_word, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A cat's-eye, 3.5 km; don't_go", ["a", "cat's-eye", "3", "5", "km", "don't", "go"]),
        ("Привет, мир!", ["привет", "мир"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),  # marks belong to their letters
        ("한국어 문장", ["한국어", "문장"]),  # Korean has blanks between words
        ("我喜欢猫。", ["我", "喜", "欢", "猫"]),
        ("猫とdog", ["猫", "と", "dog"]),
        ("ㄇㄠ", ["ㄇ", "ㄠ"]),
        ("ดีมาก", ["ดี", "ม", "า", "ก"]),
        ("", []),
    ],
)
def test_words_are_letters_of_any_script_and_single_characters_where_there_are_no_blanks(
    text: str, expected: list[str]
) -> None:
    assert words(text) == expected


def test_lengths_are_runs_of_non_space_as_ever_and_characters_where_there_are_no_blanks() -> None:
    latin = "Hello,  world - it's   3.5\nkm (about)…"
    assert [latin[start:end] for start, end in runs(latin)] == latin.split()
    assert count_words(latin) == 7
    assert count_words("我喜欢猫。它很大！") == 7  # punctuation is part of what stands before it
    assert count_words("Здравствуй, мир") == 2


@given(st.text(st.characters(max_codepoint=0x5FF)))
@example("0\u02ea")  # a tone mark of Bopomofo, which is no letter
def test_lengths_of_scripts_with_blanks_are_what_split_counts(text: str) -> None:
    assert [text[start:end] for start, end in runs(text)] == text.split()


@pytest.mark.parametrize(
    ("cut", "whole"),
    [
        ("a cat and a car", "a cat and a "),
        ("a cat, a water-mel", "a cat, a "),
        ("a cat.", "a cat."),  # the point ends the word
        ("a cat and don'", "a cat and "),
        ("дом и соба", "дом и "),
        ("हिन्दी भाषा", "हिन्दी "),
        ("我喜欢自行", "我喜欢自"),
        ("car", ""),
        ("", ""),
    ],
)
def test_a_text_that_was_cut_ends_with_its_last_whole_word(cut: str, whole: str) -> None:
    assert without_half_word(cut) == whole


@pytest.mark.parametrize(
    ("phrase", "text", "found"),
    [
        ("car", "a car.", True),
        ("car", "a card", False),
        ("car", "a scar", False),
        ("дом", "домой", False),
        ("дом", "мой дом", True),
        ("हिन्", "हिन्दी", False),  # a mark is part of the word
        ("狗", "一只狗跑", True),  # any place may be a border
        ("แมว", "มีแมวดำ", True),
        ("cat", "一只cat跑", True),
        ("c++", "c++ x", True),
    ],
)
def test_phrases_are_found_between_word_borders_of_any_script(phrase: str, text: str, found: bool) -> None:
    assert bool(regex.search(between_words(regex.escape(phrase), phrase), text)) is found


def test_rouge_tokens_of_latin_letters_are_those_of_the_package() -> None:
    from rouge_score.tokenizers import DefaultTokenizer

    own = DefaultTokenizer(use_stemmer=True)
    for text in (
        "The buses were running, 1990's COVID-19!",
        "Zürich naïve café Jaime Vásquez",
        "a_b  c\n\nd",
        "",
        "–—",
    ):
        assert rouge_tokens(text) == own.tokenize(text)


def test_rouge_tokens_of_other_scripts() -> None:
    assert rouge_tokens("Иван Петров, 1990") == ["иван", "петров", "1990"]
    assert rouge_tokens("我喜欢3只猫") == ["我", "喜", "欢", "3", "只", "猫"]
    assert rouge_tokens("٢٠٢١") == rouge_tokens("２０２１") == ["2021"]
    assert rouge_tokens("Łó") == ["łó"]  # a Latin word without any letter from a to z was no token at all
    assert rouge_tokens("Й") == rouge_tokens("И\u0306")  # composed or not
