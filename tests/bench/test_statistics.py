"""Intervals and tests against values that are known."""

from __future__ import annotations

import numpy as np
import pytest

from unsee.bench import statistics
from unsee.bench.statistics import draw_seeds, equivalent, holm, interval, mean_of, not_worse, p_value, resampled_means

ONE = {"ada": [1.0, 1.0], "ben": [0.0, 0.0]}
TWO = {"cleo": [1.0], "dan": [1.0]}


def test_holm_on_the_textbook_example() -> None:
    # sorted 0.005, 0.01, 0.03, 0.04: times 4, 3, 2, 1 = 0.02, 0.03, 0.06, 0.04 -> the last may not fall below 0.06
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_mean_is_over_seeds_of_the_mean_over_answers() -> None:
    # seed 0: (1 + 1 + 0 + 0) / 4 = 0.5; seed 1: 1; their mean is 0.75 although 4 of 6 answers are right
    assert mean_of([ONE, TWO]) == 0.75


def test_one_seed_of_two_people_has_three_means_with_known_shares() -> None:
    chosen = draw_seeds(1, resamples=20_000)
    means = resampled_means([ONE], chosen)[:, 0]
    assert set(means) == {0.0, 0.5, 1.0}  # both ben, one each, both ada
    assert [float((means == value).mean()) for value in (0.0, 0.5, 1.0)] == pytest.approx([0.25, 0.5, 0.25], abs=0.015)


def test_seeds_are_resampled_too() -> None:
    low, high = {"x": [0.0]}, {"y": [1.0]}
    chosen = draw_seeds(2, resamples=20_000)
    scores = resampled_means([low, high], chosen).mean(axis=1)
    assert [float((scores == value).mean()) for value in (0.0, 0.5, 1.0)] == pytest.approx([0.25, 0.5, 0.25], abs=0.015)


def test_people_weigh_by_their_answers() -> None:
    unequal = {"ada": [1.0, 1.0, 1.0], "ben": [0.0]}
    means = resampled_means([unequal], draw_seeds(1, 500))
    assert set(means.ravel()) == {0.0, 0.75, 1.0}


def test_the_same_draws_pair_two_rows() -> None:
    rng = np.random.default_rng(0)
    row = {f"p{n}": list(rng.integers(0, 2, 5).astype(float)) for n in range(10)}
    worse = {name: [value - 0.25 for value in values] for name, values in row.items()}
    chosen = draw_seeds(1)
    differences = resampled_means([row], chosen, "probe") - resampled_means([worse], chosen, "probe")
    assert differences == pytest.approx(np.full(differences.shape, 0.25))
    other = resampled_means([row], chosen, "another probe") - resampled_means([worse], chosen, "probe")
    assert other.std() > 0.01


def test_percentile_interval() -> None:
    found = interval(50.0, np.arange(101.0), level=0.90)
    assert (found.value, found.low, found.high) == pytest.approx((50.0, 5.0, 95.0))


def test_score_without_spread_gets_wilsons_interval_over_people() -> None:
    right = {f"p{n}": [1.0] * 20 for n in range(4)}
    found = statistics.score([right, right], resampled_means([right, right], draw_seeds(2)))
    # Wilson for 8 of 8 people: lower bound n / (n + z^2) = 8 / (8 + 3.8415)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(8 / (8 + 3.841459), abs=1e-6)


def test_p_value_counts_the_rarer_side_twice() -> None:
    differences = np.concatenate([np.full(990, 0.2), np.full(9, -0.1)])
    assert p_value(differences) == pytest.approx(2 * (9 + 1) / 1000)
    assert p_value(-differences) == p_value(differences)
    assert p_value(np.zeros(999)) == 1.0
    assert p_value(np.full(999, 0.2)) == pytest.approx(2 / 1000)


@pytest.mark.parametrize(
    ("low", "high", "same", "no_loss"),
    [(-0.04, 0.04, True, True), (-0.04, 0.3, False, True), (-0.3, 0.04, False, False), (0.1, 0.2, False, True)],
)
def test_equivalence_is_the_ninety_percent_interval_inside_the_margin(
    low: float, high: float, same: bool, no_loss: bool
) -> None:
    differences = np.linspace(low, high, 1001)
    assert equivalent(differences, 0.05) is same
    assert not_worse(differences, 0.05) is no_loss


def test_a_wide_interval_around_zero_is_not_equivalence() -> None:
    differences = np.random.default_rng(0).normal(0, 0.1, 2000)
    assert p_value(differences) > 0.5
    assert not equivalent(differences, 0.05)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng, hits = np.random.default_rng(1), 0
    for number in range(200):
        shares = rng.beta(2, 2, size=(4, 20))  # 4 seeds of 20 people, each with a share of their own
        seeds = [
            {person: list(rng.binomial(1, share, 10).astype(float)) for person, share in enumerate(of_seed)}
            for of_seed in shares
        ]
        found = statistics.score(seeds, resampled_means(seeds, draw_seeds(4, 300, number), str(number)))
        hits += found.low <= 0.5 <= found.high
    assert 0.88 <= hits / 200 <= 1.0


def test_a_seed_without_values_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        resampled_means([{}], draw_seeds(1))
