"""Truth ratio and probability among options, against values worked out by hand."""

from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unsee.metrics.truth_ratio import (
    TruthRatio,
    indistinguishability,
    log_truth_ratio,
    probability_among_options,
    truthfulness,
)

# Losses per token: paraphrase [1, 2], wrong answers [[2, 3], [1, 2]].
RIGHT = [-1.0, -2.0]
WRONG = [[-2.0, -3.0], [-1.0, -2.0]]

rows = st.lists(st.tuples(st.floats(-50, 0), st.lists(st.floats(-50, 0), min_size=1, max_size=6)), min_size=1)


def test_geometric_by_hand() -> None:
    # log R = mean wrong - right: -2.5 + 1 = -1.5 and -1.5 + 2 = 0.5; reciprocal e^1.5 = 4.48169, e^-0.5 = 0.60653
    assert log_truth_ratio(RIGHT, WRONG).tolist() == [-1.5, 0.5]
    assert 1 / np.exp(log_truth_ratio(RIGHT, WRONG)) == pytest.approx([4.4816890703, 0.6065306597], abs=1e-10)


@pytest.mark.parametrize(
    ("variant", "forget", "retain"),
    [
        # min(R, 1/R): (e^-1.5 + e^-0.5) / 2; max(0, 1 - R): (1 - e^-1.5 + 0) / 2
        ("geometric", 0.4148304099, 0.3884349199),
        # R = ((e^-2 + e^-3) / 2) / e^-1 = 0.2516074 and ((e^-1 + e^-2) / 2) / e^-2 = 1.8591409
        ("arithmetic", 0.3947451025, 0.3741963189),
        # one mean over all wrong answers, -2: R = e^-1 and 1
        ("clear_repo", 0.6839397206, 0.3160602794),
    ],
)
def test_aggregates_of_each_variant(variant: TruthRatio, forget: float, retain: float) -> None:
    ratio = log_truth_ratio(RIGHT, WRONG, variant)
    assert indistinguishability(ratio).mean() == pytest.approx(forget, abs=1e-10)
    assert truthfulness(ratio).mean() == pytest.approx(retain, abs=1e-10)


def test_probability_among_options_by_hand() -> None:
    # row 1: e^-0.5 / (e^-0.5 + e^-2 + e^-3) = 0.765331; row 2: e^-1.5 / (e^-1.5 + e^-1 + e^-2) = 0.307962...
    assert probability_among_options([-0.5, -1.5], WRONG).mean() == pytest.approx(0.5366765461, abs=1e-10)


def test_defect_truth_ratio_compares_each_row_with_its_own_wrong_answers() -> None:
    """CLEAR's repository takes one mean of losses over all rows, so a row's ratio depends on other rows' answers."""
    other_rows_wrong = [WRONG[0], [-30.0, -40.0]]
    assert log_truth_ratio(RIGHT, WRONG)[0] == log_truth_ratio(RIGHT, other_rows_wrong)[0]
    assert log_truth_ratio(RIGHT, WRONG, "clear_repo")[0] != log_truth_ratio(RIGHT, other_rows_wrong, "clear_repo")[0]


def test_defect_rows_stay_aligned_when_one_is_missing() -> None:
    """OpenUnlearning zips filtered values with unfiltered row numbers, which shifts every row after a missing one."""
    ratio = log_truth_ratio([-1.0, math.nan, -2.0], [[-2.0], [-2.0], [-2.0]])
    assert ratio[0] == -1.0
    assert math.isnan(ratio[1])
    assert ratio[2] == 0.0


def test_defect_rows_may_have_different_numbers_of_wrong_answers() -> None:
    """CLEAR's repository concatenates option lists and fails when their lengths differ."""
    assert log_truth_ratio([-1.0, -1.0], [[-2.0], [-2.0, -4.0]]).tolist() == [-1.0, -2.0]
    # 1/2 against 1/2; 1/2 against 1/4 and 1/4
    half, quarter = math.log(0.5), math.log(0.25)
    assert probability_among_options([half, half], [[half], [quarter, quarter]]) == pytest.approx([0.5, 0.5], abs=1e-15)


@pytest.mark.parametrize("variant", ["geometric", "arithmetic", "clear_repo"])
def test_nothing_to_compare_with_is_nan(variant: TruthRatio) -> None:
    assert math.isnan(log_truth_ratio([-1.0], [[]], variant)[0])
    assert log_truth_ratio([], [], variant).shape == (0,)
    assert math.isnan(log_truth_ratio([-math.inf], [[-math.inf]], variant)[0])


def test_extreme_ratios_do_not_overflow() -> None:
    with np.errstate(over="raise", invalid="raise"):
        ratio = log_truth_ratio([-2000.0, 0.0], [[0.0], [-2000.0]])
        assert indistinguishability(ratio).tolist() == [0.0, 0.0]
        assert truthfulness(ratio).tolist() == [0.0, 1.0]
    assert log_truth_ratio([-1.0], [[-math.inf, -2.0]]).tolist() == [-math.inf]
    # arithmetic: (0 + e^-2) / 2 over e^-1
    assert log_truth_ratio([-1.0], [[-math.inf, -2.0]], "arithmetic")[0] == pytest.approx(-1 - math.log(2), abs=1e-15)


def test_probability_among_options_edges() -> None:
    assert probability_among_options([-3.0], [[]]).tolist() == [1.0]
    assert probability_among_options([-math.inf], [[-1.0]]).tolist() == [0.0]
    assert probability_among_options([-2000.0], [[-2000.0]]).tolist() == [0.5]
    assert math.isnan(probability_among_options([-math.inf], [[-math.inf]])[0])
    assert math.isnan(probability_among_options([math.nan], [[-1.0]])[0])


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="one list per row"):
        log_truth_ratio([-1.0, -1.0], [[-2.0]])
    variant: Any = "mean"
    with pytest.raises(ValueError, match="unknown truth ratio 'mean'"):
        log_truth_ratio([-1.0], [[-2.0]], variant)


@given(rows)
def test_scores_lie_between_zero_and_one(rows: list[tuple[float, list[float]]]) -> None:
    right, wrong = [row[0] for row in rows], [row[1] for row in rows]
    for variant in get_args(TruthRatio):
        ratio = log_truth_ratio(right, wrong, variant)
        for per_row in (indistinguishability(ratio), truthfulness(ratio)):
            assert ((per_row >= 0) & (per_row <= 1)).all()
    shares = probability_among_options(right, wrong)
    assert ((shares >= 0) & (shares <= 1)).all()


@given(rows)
def test_arithmetic_is_at_least_geometric(rows: list[tuple[float, list[float]]]) -> None:
    right, wrong = [row[0] for row in rows], [row[1] for row in rows]
    geometric, arithmetic = log_truth_ratio(right, wrong), log_truth_ratio(right, wrong, "arithmetic")
    assert (arithmetic >= geometric - 1e-9).all()  # the mean inequality
