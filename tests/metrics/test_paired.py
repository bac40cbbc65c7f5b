"""Paired differences: by hand at the ends, and by simulation in between."""

from __future__ import annotations

from math import isnan, sqrt

import numpy as np
import pytest

from unsee.metrics.paired import paired_difference


def test_difference_and_interval_worked_out_by_hand() -> None:
    # Differences of four people with two rows each: -1 -1, 0 0, 0 -1, 0 0; the mean is -3/8.
    after, before = [0, 0, 1, 1, 1, 0, 1, 1], [1, 1, 1, 1, 1, 1, 1, 1]
    found = paired_difference(after, before, [n // 2 for n in range(8)])
    # Sums less the mean's share (-3/4): -5/4, 3/4, -1/4, 3/4; squares 25/16 + 9/16 + 1/16 + 9/16 = 44/16.
    half = 3.182446 * sqrt(4 / 3 * 44 / 16) / 8  # Student's t of 3 degrees of freedom at 0.975
    assert (found.score, found.n) == (-0.375, 8)
    assert found.low == pytest.approx(max(-1, -0.375 - half))
    assert found.high == pytest.approx(-0.375 + half, abs=1e-6)


def test_no_difference_at_all_is_as_sure_as_there_are_people() -> None:
    for people in (2, 5, 60):
        found = paired_difference([1.0] * 4 * people, [1.0] * 4 * people, [n // 4 for n in range(4 * people)])
        unseen = 1 - 0.025 ** (1 / people)  # a share of all people that so many would miss in 2.5 % of draws
        assert [found.low, found.high] == [pytest.approx(-unseen), pytest.approx(unseen)]


def test_where_everybody_lost_everything_some_others_may_have_lost_nothing() -> None:
    found = paired_difference([0.0] * 6, [1.0] * 6, ["a", "a", "b", "b", "c", "c"])
    assert (found.score, found.low) == (-1, -1)
    assert found.high == pytest.approx(-(0.025 ** (1 / 3)))


def test_people_who_lose_alike_but_not_everything_count_as_people_too() -> None:
    found = paired_difference([0.0, 1.0] * 5, [1.0, 1.0] * 5, [n // 2 for n in range(10)])
    unseen = 1 - 0.025 ** (1 / 5)
    assert found.low == pytest.approx(-0.5 - 0.5 * unseen)
    assert found.high == pytest.approx(-0.5 + 0.5 * unseen)


def test_one_person_speaks_for_further_questions_only_and_one_row_for_nothing() -> None:
    rows = paired_difference([0.0, 1.0, 1.0], [1.0, 1.0, 1.0])
    assert paired_difference([0.0, 1.0, 1.0], [1.0, 1.0, 1.0], ["a"] * 3) == rows
    assert paired_difference([0.0, 1.0, 1.0], [1.0, 1.0, 1.0], [None] * 3) == rows
    alone = paired_difference([1.0], [1.0])
    assert (alone.low, alone.high) == (-1, 1)


def test_nothing_and_no_numbers_have_no_difference() -> None:
    for values in ([], [float("nan"), 1.0]):
        found = paired_difference(values, [1.0] * len(values))
        assert (isnan(found.score), isnan(found.low), found.n) == (True, True, len(values))
    with pytest.raises(ValueError, match="one entry for each example"):
        paired_difference([1.0], [1.0, 0.0])


@pytest.mark.parametrize("whole", [False, True], ids=["independent", "whole people"])
@pytest.mark.parametrize("people", [3, 4, 6, 10, 30])
def test_the_interval_holds_the_truth_nineteen_times_of_twenty(people: int, whole: bool) -> None:
    """A true fall of a tenth: 20 % of rows (or of people, with all their rows) lost and 10 % gained."""
    rng, groups, missed = np.random.default_rng(people), [n // 8 for n in range(8 * people)], 0
    for _ in range(400):
        draw = np.repeat(rng.random(people), 8) if whole else rng.random(8 * people)
        change = np.where(draw < 0.2, -1.0, np.where(draw > 0.9, 1.0, 0.0))
        found = paired_difference(((change + 1) / 2).tolist(), [0.5] * len(change), groups)
        missed += not found.low <= -0.05 <= found.high  # halved, as values are in [0, 1]
    assert missed <= 0.05 * 400 + 3 * sqrt(0.05 * 0.95 * 400)
