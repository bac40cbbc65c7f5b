"""Intervals and tests against values that are known."""

from __future__ import annotations

import numpy as np
import pytest

from unsee.leaderboard import statistics
from unsee.leaderboard.statistics import Floats, Seed, draw_people, draw_seeds, holm, interval, mean_of, resampled_means


def means_of(seeds: list[Seed], resamples: int = 2000, seed: int = 0) -> Floats:
    """Resampled means of a single probe."""
    chosen = draw_seeds(len(seeds), resamples, seed)
    return resampled_means(seeds, chosen, draw_people({"probe": seeds}, chosen, seed))


ONE: Seed = {"ada": [1.0, 1.0], "ben": [0.0, 0.0]}
TWO: Seed = {"cleo": [1.0], "dan": [1.0]}


def test_holm_on_the_textbook_example() -> None:
    # sorted 0.005, 0.01, 0.03, 0.04: times 4, 3, 2, 1 = 0.02, 0.03, 0.06, 0.04 -> the last may not fall below 0.06
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_mean_is_over_seeds_of_the_mean_over_answers() -> None:
    # seed 0: (1 + 1 + 0 + 0) / 4 = 0.5; seed 1: 1; their mean is 0.75 although 4 of 6 answers are right
    assert mean_of([ONE, TWO]) == 0.75


def test_one_seed_of_two_people_has_three_means_with_known_shares() -> None:
    means = means_of([ONE], resamples=20_000)[:, 0]
    assert set(means) == {0.0, 0.5, 1.0}  # both ben, one each, both ada
    assert [float((means == value).mean()) for value in (0.0, 0.5, 1.0)] == pytest.approx([0.25, 0.5, 0.25], abs=0.015)


def test_seeds_are_resampled_too() -> None:
    low: Seed = {"x": [0.0]}
    high: Seed = {"y": [1.0]}
    scores = means_of([low, high], resamples=20_000).mean(axis=1)
    assert [float((scores == value).mean()) for value in (0.0, 0.5, 1.0)] == pytest.approx([0.25, 0.5, 0.25], abs=0.015)


def test_people_weigh_by_their_answers() -> None:
    unequal: Seed = {"ada": [1.0, 1.0, 1.0], "ben": [0.0]}
    means = means_of([unequal], 500)
    assert set(means.ravel()) == {0.0, 0.75, 1.0}


def test_the_same_draws_pair_two_rows() -> None:
    rng = np.random.default_rng(0)
    row: Seed = {f"p{n}": list(rng.integers(0, 2, 5).astype(float)) for n in range(10)}
    worse: Seed = {name: [value - 0.25 for value in values] for name, values in row.items()}
    chosen = draw_seeds(1)
    drawn = draw_people({"sight": [row], "name": [row]}, chosen)
    differences: Floats = resampled_means([row], chosen, drawn) - resampled_means([worse], chosen, drawn)
    assert differences == pytest.approx(np.full(differences.shape, 0.25))


def test_people_are_drawn_for_all_probes_that_ask_them_and_each_probe_keeps_its_number() -> None:
    forget: Seed = {"ada": [1.0], "ben": [0.0]}
    others: Seed = {"cleo": [1.0], "dan": [1.0], "eve": [0.0]}
    probes = {"forget_vqa": [forget], "forget_qa": [forget], "retain_vqa": [others]}
    chosen = draw_seeds(1, 300)
    (drawn,) = draw_people(probes, chosen)
    assert set(drawn["ada"] + drawn["ben"]) == {2}
    assert set(drawn["cleo"] + drawn["dan"] + drawn["eve"]) == {3}
    by_sight, by_name = (resampled_means(probes[name], chosen, [drawn]) for name in ("forget_vqa", "forget_qa"))
    assert np.array_equal(by_sight, by_name)


def test_percentile_interval() -> None:
    found = interval(50.0, np.arange(101.0), level=0.90)
    assert (found.value, found.low, found.high) == pytest.approx((50.0, 5.0, 95.0))


def test_score_without_spread_gets_wilsons_interval_over_people() -> None:
    right: Seed = {f"p{n}": [1.0] * 20 for n in range(4)}
    found = statistics.score([right, right], means_of([right, right]))
    # Wilson for 8 of 8 people: lower bound n / (n + z^2) = 8 / (8 + 3.8415)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(8 / (8 + 3.841459), abs=1e-6)


def test_one_answer_of_many_does_not_make_a_score_surer_than_none() -> None:
    right: Seed = {f"p{n}": [1.0] * 20 for n in range(4)}
    nearly: Seed = {**right, "p0": [1.0] * 19 + [0.0]}
    none, one = (statistics.score([right, each], means_of([right, each])) for each in (right, nearly))
    assert one.low <= none.low < one.value <= one.high == none.high


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng, hits = np.random.default_rng(1), 0
    for number in range(200):
        shares = rng.beta(2, 2, size=(4, 20))  # 4 seeds of 20 people, each with a share of their own
        seeds: list[Seed] = [
            {person: list(rng.binomial(1, share, 10).astype(float)) for person, share in enumerate(of_seed)}
            for of_seed in shares
        ]
        found = statistics.score(seeds, means_of(seeds, 300, number))
        hits += found.low <= 0.5 <= found.high
    assert 0.88 <= hits / 200 <= 1.0


def test_a_seed_without_values_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        means_of([{}])
