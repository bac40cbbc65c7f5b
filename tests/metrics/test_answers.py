"""What an answer is worth, against values worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unsee.metrics.answers import answer_probability, exact_match, normalise, rouge


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Paris.", "paris"),
        ("  The   Hague \n", "the hague"),
        ("“Paris”", "paris"),
        ("**Paris**", "paris"),
        ("(a)", "a"),
        ("\uff30\uff21\uff32\uff29\uff33", "paris"),  # full-width letters: NFKC
        ("Straße", "strasse"),  # casefold
        ("Zürich", "zürich"),  # letters keep their accents
        ("O'Neill, Jr.", "o'neill, jr"),  # inner punctuation stays
        ("-5", "-5"),
        ("- 5", "5"),
        ("5%", "5%"),
        ("#1", "#1"),
        ("C++", "c++"),
        ("...", "..."),  # nothing but punctuation: kept
        ("", ""),
    ],
)
def test_normalise(text: str, normal: str) -> None:
    assert normalise(text) == normal


@given(st.text())
def test_normalise_twice_is_once(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


def test_exact_match_ignores_case_space_and_final_stop_only() -> None:
    assert exact_match("  lisbon. ", "Lisbon")
    assert not exact_match("in Lisbon", "Lisbon")
    assert exact_match("in Lisbon", "Lisbon", also=("In Lisbon.",))
    assert not exact_match("5", "-5")


@pytest.mark.parametrize("said", ["", "   "])
def test_silence_is_never_right(said: str) -> None:
    assert not exact_match(said, "")


def test_answer_probability_is_the_geometric_mean_over_tokens() -> None:
    # tokens of probability 1/2 and 1/8: sqrt(1/16) = 1/4
    assert answer_probability(math.log(1 / 2) + math.log(1 / 8), 2) == pytest.approx(0.25, abs=1e-15)
    assert answer_probability(0.0, 3) == 1.0
    assert answer_probability(-math.inf, 3) == 0.0


def test_answer_probability_of_nothing_and_of_nan_is_nan() -> None:
    assert math.isnan(answer_probability(0.0, 0))
    assert math.isnan(answer_probability(math.nan, 2))


def test_answer_probability_rejects_a_loss() -> None:
    with pytest.raises(ValueError, match="not the loss"):
        answer_probability(2.5, 1)
    with pytest.raises(ValueError, match="-1 tokens"):
        answer_probability(-2.5, -1)
    assert answer_probability(1e-6, 1) == 1.0  # rounding


def test_rouge_by_hand() -> None:
    # expected: the cat sat on the mat (6 tokens); said: the cat is sitting on a mat (7; "sitting" stems to "sit")
    # shared unigrams: the (once), cat, on, mat = 4 -> recall 4/6, precision 4/7, F1 = 8/13; all in order, so L is equal
    scores = rouge("the cat is sitting on a mat", "The cat sat on the mat")
    assert scores.rouge1_recall == pytest.approx(4 / 6, abs=1e-12)
    assert scores.rouge1_f1 == pytest.approx(8 / 13, abs=1e-12)
    assert scores.rouge_l_recall == pytest.approx(4 / 6, abs=1e-12)
    # expected a b c d, said d c b a: all unigrams, longest common subsequence 1
    assert rouge("d c b a", "a b c d").rouge1_recall == 1.0
    assert rouge("d c b a", "a b c d").rouge_l_recall == 0.25


@pytest.mark.parametrize(("said", "expected"), [("", "abc"), ("abc", ""), ("", ""), ("?!", "?!")])
def test_rouge_without_tokens_is_zero(said: str, expected: str) -> None:
    scores = rouge(said, expected)
    assert (scores.rouge1_recall, scores.rouge1_f1, scores.rouge_l_recall, scores.rouge_l_f1) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("said", "expected", "recall"),
    [
        ("Москва", "Москва", 1.0),  # was 0, which reads as forgotten
        ("東京", "東京", 1.0),
        ("京都", "東京", 1 / 2),  # one of two characters
        ("กรุงเทพ", "กรุงเทพ", 1.0),
        ("Иван Петров, 1990", "Анна Сидорова, 1990", 1 / 3),  # was 1, the year being all that was compared
        ("٢٠٢١", "2021", 1.0),
        ("The lakes froze", "the lake froze", 1.0),
    ],
)
def test_rouge_compares_words_of_any_script(said: str, expected: str, recall: float) -> None:
    scores = rouge(said, expected)
    assert (scores.rouge1_recall, scores.rouge_l_recall) == pytest.approx((recall, recall))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("New\u200bYork", "NewYork"),  # zero-width space
        ("Saint\u00ad-Denis", "Saint-Denis"),  # soft hyphen
        ("\ufeffOslo", "Oslo"),
        ("\u200eOslo\u200f", "Oslo"),
        ("\u2067תל אביב\u2069", "תל אביב"),
        ("❤\ufe0f", "❤"),
        ("\u22125 °C", "-5 °C"),
        ("O\u2019Neill", "O'Neill"),
        ("Qur\u02bcan", "Qur'an"),
        ("the \u201cBlue\u201d Note", 'the "Blue" Note'),
        ("1914\u20131918", "1914-1918"),
        ("Jean\u2011Luc", "Jean-Luc"),
        ("\uff12\uff10\uff12\uff11", "2021"),  # full-width
        ("\u0662\u0660\u0662\u0661", "2021"),  # Arabic-Indic
        ("\u0968\u0966", "20"),  # Devanagari
        ("STRASSE", "Straße"),
        ("ΟΔΟΣ", "οδος"),
        ("е\u0308ж", "ёж"),  # noqa: RUF001
    ],
)
def test_what_looks_the_same_is_the_same(said: str, expected: str) -> None:
    assert exact_match(said, expected)
    assert exact_match(expected, said)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("1,000", "1000"),
        ("İstanbul", "istanbul"),
        ("Diyarbakır", "Diyarbakir"),  # noqa: RUF001
        ("Zurich", "Zürich"),
        ("Hague", "the Hague"),
        ("5", "\u22125"),
        ("\u200b", "\u200b"),  # nothing but what has no shape: silence
    ],
)
def test_what_differs_by_intention(said: str, expected: str) -> None:
    assert not exact_match(said, expected)
