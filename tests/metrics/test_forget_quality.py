"""The exact Kolmogorov-Smirnov test and the Jensen-Shannon distance."""

from __future__ import annotations

import json
import math
import warnings
from itertools import combinations
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from tests.metrics.shared_data import shared
from unsee.metrics.forget_quality import (
    _exact_p,
    jensen_shannon,
    js_forget_quality,
    js_forget_quality_clear_v4,
    ks_two_sample,
)

samples = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=12)  # few values: many ties


@pytest.mark.parametrize(
    ("first", "second", "statistic", "p_value"),
    [
        # of the C(6, 3) = 20 orders only aaabbb and bbbaaa are fully apart: 2 / 20
        ([1, 2, 3], [10, 11, 12], 1.0, 0.1),
        ([1, 2], [1, 2], 0.0, 1.0),
        # D = 2/4; of the C(8, 4) = 70 paths 54 stray 2 or more from the diagonal: 54 / 70
        ([1, 2, 3, 4], [3, 4, 5, 6], 0.5, 54 / 70),
        # below or at 1: 2/4 against 1/5 -> 0.3; at 2: 4/4 against 3/5 -> 0.4 = 8/20; of C(9, 4) = 126 paths 94
        ([1, 1, 2, 2], [1, 2, 2, 3, 3], 0.4, 94 / 126),
        ([1], [2], 1.0, 1.0),
    ],
)
def test_ks_by_hand(first: list[float], second: list[float], statistic: float, p_value: float) -> None:
    test = ks_two_sample(first, second)
    assert test.statistic == pytest.approx(statistic, abs=1e-15)
    assert test.p_value == pytest.approx(p_value, abs=1e-15)
    assert test.log_p_value == pytest.approx(math.log(p_value), abs=1e-15)
    assert test.exact


def test_ks_counts_every_order() -> None:
    """All ways to deal ten values into samples of four and six, against the p-value of each."""
    values = np.arange(10.0)
    statistics = []
    for chosen in combinations(range(10), 4):
        mask = np.isin(values, chosen)
        statistics.append(ks_two_sample(values[mask], values[~mask]).statistic)
    for statistic in set(statistics):
        share = sum(other >= statistic - 1e-12 for other in statistics) / len(statistics)
        assert _exact_p(4, 6, round(statistic * 12))[0] == pytest.approx(share, abs=1e-15)


def test_ks_agrees_with_the_reference_table() -> None:
    for row in json.loads(shared("vectors", "clear_metrics.json").read_text())["ks"]:
        if "a" in row:
            test = ks_two_sample(row["a"], row["b"])
            assert test.statistic == pytest.approx(row["D"], abs=1e-12)
            assert test.p_value == pytest.approx(row["p"], rel=1e-9)
        else:
            p_value, log_p = _exact_p(row["n"], row["m"], row["D_times_n"])
            assert p_value == pytest.approx(row["p"], rel=1e-9)
            assert log_p == pytest.approx(math.log(row["p"]), abs=1e-9)


def test_defect_log_p_does_not_underflow() -> None:
    """log of a p-value that has underflowed to 0 is minus infinity; here two samples of 600 are fully apart."""
    test = ks_two_sample(np.arange(600), 1000 + np.arange(600))
    assert test.p_value == 0.0
    assert test.log_p_value == pytest.approx(math.log(2) - math.log(math.comb(1200, 600)), rel=1e-14)  # -827.2...


def test_large_samples_use_the_limit_and_say_so() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=2500), rng.normal(0.1, size=2500)
    test = ks_two_sample(first, second)
    assert not test.exact
    exact = ks_2samp(first, second, method="exact")
    assert test.statistic == pytest.approx(exact.statistic, abs=1e-12)
    assert test.log_p_value == pytest.approx(math.log(exact.pvalue), rel=0.05)
    far = ks_two_sample(np.zeros(2500), np.ones(2500))
    assert far.log_p_value == pytest.approx(math.log(2) - 2 * 1250, rel=1e-12)  # lambda^2 = n m / (n + m)


def test_ks_of_nothing_or_of_nan_is_nan() -> None:
    for first, second in (([], [1.0]), ([1.0], []), ([math.nan, 1.0], [1.0])):
        assert math.isnan(ks_two_sample(first, second).p_value)
    assert ks_two_sample([-math.inf, 1.0], [math.inf, 1.0]).statistic == 0.5


@settings(deadline=None)
@given(samples, samples)
def test_ks_agrees_with_scipy_on_ties_and_unequal_sizes(first: list[float], second: list[float]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            theirs = ks_2samp(first, second, method="exact")
        except RuntimeWarning:  # scipy's exact method gave up
            reject()
    ours = ks_two_sample(first, second)
    assert ours.statistic == pytest.approx(theirs.statistic, abs=1e-12)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-9)


@given(samples, samples, st.randoms(use_true_random=False))
def test_ks_is_symmetric_and_blind_to_order_and_to_monotone_maps(
    first: list[float], second: list[float], random: Random
) -> None:
    test = ks_two_sample(first, second)
    shuffled = random.sample(first, len(first))
    assert ks_two_sample(second, shuffled) == test
    assert ks_two_sample([-value for value in first], [-value for value in second]) == test  # R -> 1/R
    assert 0 <= test.statistic <= 1
    assert 0 <= test.p_value <= 1
    assert test.log_p_value <= 0


def test_jensen_shannon_agrees_with_the_reference_table() -> None:
    for row in json.loads(shared("vectors", "clear_metrics.json").read_text())["js_vector"]:
        assert jensen_shannon(row["p"], row["q"], base=math.e) == pytest.approx(row["js"], abs=1e-9)


def test_jensen_shannon_by_hand() -> None:
    assert jensen_shannon([1, 0], [0, 1]) == 1.0  # nothing in common
    assert jensen_shannon([1, 0], [0, 1], base=math.e) == pytest.approx(math.sqrt(math.log(2)), abs=1e-15)
    assert jensen_shannon([1, 2, 3], [10, 20, 30]) == pytest.approx(0.0, abs=1e-12)  # weights are normalised
    # p = (1/2, 1/2), q = (1, 0), middle (3/4, 1/4): (0.5 log2(2/3) + 0.5 log2(2) + log2(4/3)) / 2 = 0.311278
    assert jensen_shannon([1, 1], [1, 0]) ** 2 == pytest.approx(0.3112781245, abs=1e-9)


def test_jensen_shannon_edges() -> None:
    assert math.isnan(jensen_shannon([0, 0], [1, 1]))
    assert math.isnan(jensen_shannon([math.inf, 1], [1, 1]))
    assert math.isnan(jensen_shannon([], []))
    with pytest.raises(ValueError, match="2 and 3 outcomes"):
        jensen_shannon([1, 1], [1, 1, 1])
    with pytest.raises(ValueError, match="negative"):
        jensen_shannon([-1, 2], [1, 1])


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), min_size=1, max_size=8))
def test_jensen_shannon_is_a_bounded_symmetric_distance(weights: list[tuple[float, float]]) -> None:
    p, q = [w[0] for w in weights], [w[1] for w in weights]
    assume(sum(p) > 1e-9 and sum(q) > 1e-9)
    assert 0 <= jensen_shannon(p, q) <= 1 + 1e-12
    assert jensen_shannon(p, q) == pytest.approx(jensen_shannon(q, p), abs=1e-9)


def test_defect_js_forget_quality_is_about_distributions_not_about_row_numbers() -> None:
    """CLEAR's fourth version normalises the two vectors over the row index: it then depends on the order of rows,
    fails for samples of unequal size, ignores a common factor, and cannot fall below 0.167."""
    rng = np.random.default_rng(0)
    gold = rng.normal(size=300)
    shuffled = rng.permutation(gold)
    assert js_forget_quality(shuffled, gold) == 1.0
    assert js_forget_quality_clear_v4(shuffled, gold) < 0.8
    assert 0 < js_forget_quality(gold[:200], gold) < 1
    with pytest.raises(ValueError, match="200 and 300"):
        js_forget_quality_clear_v4(gold[:200], gold)
    assert js_forget_quality(gold + 3, gold) < 0.5
    assert js_forget_quality_clear_v4(gold + 3, gold) == pytest.approx(1.0, abs=1e-6)
    assert js_forget_quality(gold + 100, gold - 100) == 0.0


def test_defect_js_forget_quality_does_not_depend_on_which_way_the_ratio_is_written() -> None:
    """The row-aligned distance changes when R is replaced by 1/R, the Kolmogorov-Smirnov test does not."""
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=300), rng.normal(0.5, 2, size=300)
    assert js_forget_quality(-first, -second) == pytest.approx(js_forget_quality(first, second), abs=1e-12)
    assert js_forget_quality_clear_v4(-first, -second) != pytest.approx(
        js_forget_quality_clear_v4(first, second), abs=1e-2
    )


def test_js_forget_quality_edges() -> None:
    assert math.isnan(js_forget_quality([], [0.0]))
    assert math.isnan(js_forget_quality([math.nan], [0.0]))
    assert js_forget_quality([math.inf, -math.inf], [1000.0, -1000.0]) == 1.0
    assert math.isnan(js_forget_quality_clear_v4([-math.inf, 0.0], [0.0, 0.0]))  # 1/R is infinite
    # 1/R of (0, 1) against (1, 1): the distance of (0, 1) and (1/2, 1/2), 0.311278 bits worked out above
    expected = 1 - math.sqrt(0.3112781245 * math.log(2))
    assert js_forget_quality_clear_v4([math.inf, 0.0], [0.0, 0.0]) == pytest.approx(expected, abs=1e-9)
    assert js_forget_quality_clear_v4([-2000.0, -2000.0], [0.0, 0.0]) == 1.0  # no overflow
