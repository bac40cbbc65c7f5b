"""Means with intervals over people."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unsee.metrics.bootstrap import Score, bootstrap_mean, wilson


def test_two_people_of_opposite_results_span_everything() -> None:
    # person a all right, b all wrong: resamples aa, ab, ba, bb with 1/4, 1/2, 1/4 -> the 95 % interval is [0, 1]
    score = bootstrap_mean([1, 1, 0, 0], ["a", "a", "b", "b"], seed=0)
    assert (score.score, score.low, score.high, score.n) == (0.5, 0.0, 1.0, 4)


def test_groups_widen_the_interval() -> None:
    values = [1.0] * 50 + [0.0] * 50
    grouped = bootstrap_mean(values, [i // 10 for i in range(100)])
    alone = bootstrap_mean(values)
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)
    # ten groups as wide as ten independent coin flips, 100 values as wide as a hundred: about 2 * 1.96 * sqrt(.25 / n)
    assert grouped.high - grouped.low == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(10), rel=0.15)
    assert alone.high - alone.low == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(100), rel=0.15)


def test_mean_is_over_examples_not_over_groups() -> None:
    assert bootstrap_mean([1, 1, 1, 0], ["a", "a", "a", "b"]).score == 0.75


def test_no_values() -> None:
    score = bootstrap_mean([], [])
    assert score.n == 0
    assert all(math.isnan(x) for x in (score.score, score.low, score.high))
    assert json.loads(json.dumps(score.to_dict(), allow_nan=False)) == {
        "score": None,
        "low": None,
        "high": None,
        "n": 0,
    }


def test_nan_is_not_left_out_silently() -> None:
    score = bootstrap_mean([1.0, math.nan], ["a", "b"])
    assert math.isnan(score.score)
    assert score.n == 2


def test_one_group_falls_back_to_examples() -> None:
    values = [1.0, 0.0, 1.0, 1.0]
    assert bootstrap_mean(values, ["a"] * 4, seed=3) == bootstrap_mean(values, None, seed=3)


def test_missing_groups_stand_alone() -> None:
    values = [1.0, 0.0, 1.0, 1.0]
    assert bootstrap_mean(values, [None] * 4, seed=3) == bootstrap_mean(values, None, seed=3)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_unanimous_answers_are_not_certainty(value: float) -> None:
    # all 12 answers about 3 people alike: Wilson with 3 observations, n / (n + z^2) = 3 / (3 + 3.8415) = 0.43850
    score = bootstrap_mean([value] * 12, ["a", "b", "c"] * 4)
    expected = (0.43850, 1.0) if value else (0.0, 0.56150)
    assert (score.low, score.high) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("people", [2, 4, 12])
def test_one_answer_of_many_does_not_make_an_interval_narrower(people: int) -> None:
    subjects = [n % people for n in range(20 * people)]
    all_right, all_but_one = [1.0] * len(subjects), [0.0] + [1.0] * (len(subjects) - 1)
    unanimous, nearly = (bootstrap_mean(values, subjects) for values in (all_right, all_but_one))
    assert nearly.low <= unanimous.low < nearly.score < nearly.high <= 1


def test_equal_groups_with_unequal_values_use_all_values() -> None:
    # two people, one of two answers right each: all resamples are 0.5 -> Wilson with p = 1/2, n = 4: 0.5 -+ 0.34996
    score = bootstrap_mean([1, 0, 1, 0], ["a", "a", "b", "b"])
    assert (score.low, score.high) == pytest.approx((0.150036, 0.849964), abs=1e-5)


def test_equal_values_without_known_range_have_unknown_bounds() -> None:
    score = bootstrap_mean([-3.0, -3.0], ["a", "b"])
    assert score.score == -3.0
    assert math.isnan(score.low)
    assert math.isnan(score.high)


def test_same_seed_same_interval_and_other_seed_another() -> None:
    values = list(np.random.default_rng(0).random(40))
    groups = [i // 4 for i in range(40)]
    assert bootstrap_mean(values, groups, seed=1) == bootstrap_mean(values, groups, seed=1)
    assert bootstrap_mean(values, groups, seed=1) != bootstrap_mean(values, groups, seed=2)


def test_many_groups_are_resampled_in_chunks() -> None:
    rng = np.random.default_rng(0)
    score = bootstrap_mean(list(rng.random(5000)), None, resamples=1000)
    # standard error of a uniform mean: sqrt(1/12/5000) = 0.00408
    assert score.high - score.low == pytest.approx(2 * 1.96 * 0.00408, rel=0.1)


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="2 values but 1 groups"):
        bootstrap_mean([1, 0], ["a"])
    with pytest.raises(ValueError, match="level"):
        bootstrap_mean([1, 0], level=1.0)


def test_wilson_by_hand() -> None:
    # p = 0.5, n = 10, z = 1.95996: centre 0.5, half = z sqrt(.025 + z^2/400) / (1 + z^2/10) = 0.263409
    assert wilson(0.5, 10) == pytest.approx((0.236591, 0.763409), abs=1e-5)
    assert wilson(1.0, 5)[1] == 1.0
    assert all(math.isnan(bound) for bound in wilson(0.5, 0))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5)), min_size=1, max_size=30), st.integers(0, 2**31))
def test_interval_holds_the_mean_and_stays_within_the_range(rows: list[tuple[float, int]], seed: int) -> None:
    score = bootstrap_mean([v for v, _ in rows], [g for _, g in rows], seed=seed, resamples=200, level=0.999)
    assert isinstance(score, Score)
    assert 0 <= score.low <= score.high <= 1
    assert score.low - 1e-9 <= score.score <= score.high + 1e-9
