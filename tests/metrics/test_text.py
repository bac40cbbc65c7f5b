"""BLEU and distinct-n over words."""

from __future__ import annotations

import math
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unsee.metrics.text import bleu, distinct_n
from unsee.metrics.words import words

REFERENCE = "A man riding a wave on top of a surfboard."
CANDIDATE = "A man riding a wave on a surfboard."

texts = st.lists(st.sampled_from("abcd"), min_size=4, max_size=9).map(" ".join)


def test_words() -> None:
    assert words("The man's well-known café, 2001_x!") == ["the", "man's", "well-known", "café", "2001", "x"]
    assert words("... !") == []


def test_bleu_by_hand() -> None:
    # 8 words against 10. Unigrams 8/8; bigrams 6/7 ("on a" is missing); trigrams 4/6; 4-grams 3/5.
    # brevity exp(1 - 10/8) = 0.778801; (1 * 6/7 * 4/6 * 3/5) ^ 1/4 = 0.765195
    shares = (6 / 7 * 4 / 6 * 3 / 5) ** 0.25
    assert bleu([CANDIDATE], [[REFERENCE]]) == pytest.approx(math.exp(-0.25) * shares, abs=1e-12)
    # add one for n > 1: 7/8, 5/7, 4/6
    smoothed = (7 / 8 * 5 / 7 * 4 / 6) ** 0.25
    assert bleu([CANDIDATE], [[REFERENCE]], smooth=True) == pytest.approx(math.exp(-0.25) * smoothed, abs=1e-12)


def test_bleu_clips_repeated_words() -> None:
    assert bleu(["the the the the"], [["the cat", "the the dog here"]], max_n=1) == 0.5  # two of four are allowed


def test_bleu_takes_the_closest_reference_length() -> None:
    # lengths 2 and 4 are equally close to 3: the shorter one counts, no penalty
    assert bleu(["a b c"], [["a b c d", "a b"]], max_n=1) == 1.0
    assert bleu(["a b c"], [["a b c d"]], max_n=1) == pytest.approx(math.exp(-1 / 3), abs=1e-15)


def test_bleu_edges() -> None:
    assert math.isnan(bleu([], []))
    assert bleu([""], [["a b"]]) == 0.0
    assert bleu(["a b c"], [["a b c"]]) == 0.0  # no 4-gram
    assert bleu(["a b c"], [["a b c"]], smooth=True) == 1.0
    assert bleu(["a"], [[""]], max_n=1) == 0.0
    assert bleu(["a", "a b"], [["a"], ["a b"]], max_n=2) == 1.0  # one bigram in all, and it is right
    with pytest.raises(ValueError, match="one or more references"):
        bleu(["a"], [[]])
    with pytest.raises(ValueError, match="one or more references"):
        bleu(["a"], ["a"])  # a text where a list is due
    with pytest.raises(ValueError, match="2 candidates but references for 1"):
        bleu(["a", "b"], [["a"]])
    with pytest.raises(ValueError, match="not 0"):
        bleu(["a"], [["a"]], max_n=0)


def test_defect_bleu_is_over_words_and_never_above_one() -> None:
    """EFUF passes strings to a token metric, so that it compares characters, with a smoothing that exceeds 1 (1.09
    for this pair) and hardly changes when references are exchanged."""
    assert bleu([CANDIDATE], [[REFERENCE]], max_n=1) < 1
    assert bleu(["wave"], [["weave"]], max_n=1) == 0.0


@settings(deadline=None)
@given(st.lists(st.tuples(texts, st.lists(texts, min_size=1, max_size=3)), min_size=1, max_size=4), st.integers(1, 4))
def test_bleu_agrees_with_nltk(rows: list[tuple[str, list[str]]], max_n: int) -> None:
    scores = pytest.importorskip("nltk.translate.bleu_score")
    candidates, references = [row[0] for row in rows], [row[1] for row in rows]
    tokens = [[text.split() for text in row] for row in references], [text.split() for text in candidates]
    weights = (1 / max_n,) * max_n
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = scores.corpus_bleu(*tokens, weights=weights)
        smoothing = scores.SmoothingFunction().method2
        smoothed = scores.corpus_bleu(*tokens, weights=weights, smoothing_function=smoothing)
    assert bleu(candidates, references, max_n) == pytest.approx(theirs, abs=1e-12)
    ours = bleu(candidates, references, max_n, smooth=True)
    assert ours == pytest.approx(smoothed, abs=1e-12)
    assert 0 <= ours <= 1


def test_distinct_n_by_hand() -> None:
    # a b a b and a: bigrams ab ba ab: 2 of 3; unigrams 2 of 5
    assert distinct_n(["a b a b", "a"], 2) == pytest.approx(2 / 3, abs=1e-15)
    assert distinct_n(["a b a b", "a"], 1) == 0.4
    assert math.isnan(distinct_n(["a"], 2))
    assert math.isnan(distinct_n([], 1))
    with pytest.raises(ValueError, match="not 0"):
        distinct_n(["a"], 0)


def test_defect_distinct_bigrams_can_reach_one() -> None:
    """EFUF counts characters and divides the share of bigrams by two."""
    assert distinct_n(["every word differs here"], 2) == 1.0


def test_texts_that_are_written_without_blanks_have_words_too() -> None:
    # One run of letters was one word: no 2-gram, a BLEU of 0 for all but equal texts, a length of 1.
    assert bleu(["我喜欢猫"], [["我喜欢狗"]], max_n=2) == pytest.approx((3 / 4 * 2 / 3) ** 0.5)
    assert distinct_n(["猫猫狗"], 1) == 2 / 3
    assert bleu(["Привет мир"], [["Привет мир"]], max_n=2) == 1
