"""Memorisation and membership scores, against values worked out by hand."""

from __future__ import annotations

import math
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unsee.metrics.memorisation import (
    exact_memorisation,
    extraction_strength,
    loss_score,
    membership_auc,
    min_k_plus_plus_score,
    min_k_score,
    reference_score,
    zlib_score,
)

T, F = True, False


def test_exact_memorisation_is_the_share_of_right_tokens() -> None:
    assert exact_memorisation([T, F, T, T]) == 0.75


@pytest.mark.parametrize(
    ("correct", "strength"),
    [
        ([T, T, T], 1.0),  # nothing needs to be given: k = 0
        ([F, T, T], 2 / 3),  # one token has to be given
        ([T, F, T, T], 0.5),  # a right token before a wrong one does not help
        ([T, T, F], 0.0),
    ],
)
def test_extraction_strength_by_hand(correct: list[bool], strength: float) -> None:
    assert extraction_strength(correct) == pytest.approx(strength, abs=1e-15)


def test_defect_a_model_that_is_never_right_has_no_extraction_strength() -> None:
    """OpenUnlearning gives it 1 / length, so short answers look memorised."""
    assert extraction_strength([F, F, F]) == 0.0


def test_defect_one_token_counts() -> None:
    """OpenUnlearning drops the last labelled token as an end of sequence: one token gives NaN and strength 0."""
    assert exact_memorisation([T]) == 1.0
    assert extraction_strength([T]) == 1.0
    assert exact_memorisation([F]) == 0.0
    assert min_k_score([-2.0]) == -2.0


def test_no_tokens_have_no_score() -> None:
    scores = [
        exact_memorisation([]),
        extraction_strength([]),
        loss_score([]),
        zlib_score([], ""),
        reference_score([], []),
        min_k_score([]),
        min_k_plus_plus_score([], [], []),
    ]
    assert all(math.isnan(score) for score in scores)


def test_loss_and_reference() -> None:
    assert loss_score([-1.0, -3.0]) == -2.0
    assert reference_score([-1.0, -3.0], [-2.0, -6.0]) == 2.0  # (1 + 3) / 2 nats more likely than for the reference
    with pytest.raises(ValueError, match="2 tokens but 1 reference tokens"):
        reference_score([-1.0, -3.0], [-2.0])


def test_zlib_mean_and_sum() -> None:
    text = "the same the same the same"
    size = len(zlib.compress(text.encode()))
    assert zlib_score([-1.0, -3.0], text) == -2.0 / size
    assert zlib_score([-1.0, -3.0], text, numerator="sum") == -4.0 / size


def test_defect_zlib_numerator_can_grow_with_its_denominator() -> None:
    """A mean over a size shrinks for longer texts of the same kind; the sum over the size does not."""
    short, long = "abcdefgh" * 4, "abcdefgh" * 4 + "qzjxkvwp" * 4
    mean = [zlib_score([-1.0] * len(text), text) for text in (short, long)]
    assert abs(mean[1]) < 0.8 * abs(mean[0])
    summed = [zlib_score([-1.0] * len(text), text, numerator="sum") for text in (short, long)]
    assert abs(summed[1]) > abs(summed[0])


def test_min_k_by_hand() -> None:
    log_probs = [-1.0, -5.0, -2.0, -4.0, -3.0]
    assert min_k_score(log_probs, 0.4) == -4.5  # the two least likely
    assert min_k_score(log_probs, 0.2) == -5.0
    assert min_k_score(log_probs, 0.1) == -5.0  # at least one
    assert min_k_score(log_probs, 1.0) == -3.0
    # 0.29 * 100 is 28.999999999999996 in floating point, yet 29 tokens: -100 ... -72
    assert min_k_score([-float(i) for i in range(1, 101)], 0.29) == pytest.approx(-86.0)


def test_min_k_plus_plus_by_hand() -> None:
    # (log p - mean) / std: (-1 + 2) / 1 = 1, (-6 + 2) / 2 = -2, (-3 + 3) / 1 = 0; the lowest of three is -2
    assert min_k_plus_plus_score([-1.0, -6.0, -3.0], [-2.0, -2.0, -3.0], [1.0, 2.0, 1.0], 0.34) == -2.0
    assert math.isfinite(min_k_plus_plus_score([0.0], [0.0], [0.0]))  # a certain model has no spread
    with pytest.raises(ValueError, match="2 tokens, 1 means"):
        min_k_plus_plus_score([-1.0, -2.0], [-1.0], [1.0, 1.0])


@pytest.mark.parametrize("k", [0.0, -0.1, 1.1])
def test_min_k_wants_a_share(k: float) -> None:
    with pytest.raises(ValueError, match="share"):
        min_k_score([-1.0], k)


def test_defect_half_precision_is_summed_in_double() -> None:
    """Others crash on half precision or sum in it: 5,000 values of 1/1024 more than 2,048 are lost in float16."""
    values = np.full(5000, -1.0009765625, dtype=np.float16)
    assert loss_score(values) == -1.0009765625
    assert min_k_plus_plus_score(values, np.zeros(5000), np.ones(5000)) == pytest.approx(-1.0009765625, abs=1e-12)


def test_nan_is_not_hidden() -> None:
    assert math.isnan(loss_score([-1.0, math.nan]))
    assert math.isnan(min_k_score([-1.0, math.nan], 0.5))
    assert math.isnan(membership_auc([math.nan], [1.0]))


def test_auc_by_hand() -> None:
    # pairs (2,1) (2,2) (3,1) (3,2): win, tie, win, win = 3.5 of 4
    assert membership_auc([2.0, 3.0], [1.0, 2.0]) == 0.875
    assert membership_auc([1.0], [1.0]) == 0.5
    assert membership_auc([2.0], [1.0]) == 1.0
    assert math.isnan(membership_auc([], [1.0]))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=10), st.lists(st.integers(0, 4), min_size=1, max_size=10))
def test_auc_counts_pairs(members: list[int], others: list[int]) -> None:
    wins = sum((a > b) + 0.5 * (a == b) for a in members for b in others)
    assert membership_auc(members, others) == pytest.approx(wins / len(members) / len(others), abs=1e-12)
    assert membership_auc(others, members) == pytest.approx(1 - membership_auc(members, others), abs=1e-12)


@given(st.lists(st.booleans(), min_size=1))
def test_what_is_extractable_is_memorised(correct: list[bool]) -> None:
    assert 0 <= extraction_strength(correct) <= exact_memorisation(correct) <= 1
