"""Bounds over people: what they claim is wrong at most as often as they say, with four people as with sixty."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from unsee.leaderboard.bounds import Differences, Spread, differences, interval, lower, p_value, people_needed, upper
from unsee.leaderboard.statistics import Floats, Seed

MARGIN = 0.05
Drawn = Callable[[np.random.Generator, int, float], Floats]  # generator, people, true difference -> each one's


def whole(rng: np.random.Generator, people: int, difference: float) -> Floats:
    """All that is known of a person goes or stays."""
    return (rng.random(people) < difference).astype(float)


def whole_both_ways(rng: np.random.Generator, people: int, difference: float) -> Floats:
    """Some are lost whole to the one model, fewer to the other."""
    lot = rng.random(people)
    return np.where(lot < difference + 0.02, 1.0, np.where(lot > 0.98, -1.0, 0.0))


def independent(rng: np.random.Generator, people: int, difference: float) -> Floats:
    """Twenty answers a person, each for itself."""
    one, other = (rng.binomial(20, share, people) / 20 for share in (0.025 + difference, 0.025))
    return one - other


def of(values: Floats, worlds: int = 1) -> Differences:
    """People of equal weight, spread over worlds."""
    people = len(values)
    return Differences(values, np.full(people, 1 / people), np.arange(people) % worlds)


def claims(drawn: Drawn, people: int, difference: float, times: int, worlds: int = 1) -> float:
    """How often equivalence is declared."""
    rng, hits = np.random.default_rng([people, times]), 0
    for _ in range(times):
        one = of(drawn(rng, people, difference), worlds).spread
        hits += lower(one) > -MARGIN and upper(one) < MARGIN
    return hits / times


@pytest.mark.parametrize("people", [4, 12, 24, 59, 60, 108])
@pytest.mark.parametrize("drawn", [whole, whole_both_ways, independent])
def test_equivalence_is_declared_at_the_margin_in_five_of_a_hundred_at_most(drawn: Drawn, people: int) -> None:
    for difference in (MARGIN, 0.08):
        # 600 draws at 5 %: a standard error of 0.9 points
        assert claims(drawn, people, difference, 600, worlds=3) <= 0.05 + 2.5 * 0.009


def test_equivalence_is_declared_where_there_is_none_to_be_seen_and_people_enough() -> None:
    assert claims(whole, 60, 0.0, 20) == 1
    assert claims(independent, 120, 0.0, 100, worlds=3) > 0.9
    assert claims(whole, 58, 0.0, 20) == 0


def test_how_many_people_a_claim_takes() -> None:
    # 0.95^58 = 0.0510, 0.95^59 = 0.0485; 0.9^28 = 0.0523, 0.9^29 = 0.0471
    assert (people_needed(0.05), people_needed(0.10)) == (59, 29)
    for margin in (0.05, 0.1):
        n = people_needed(margin)
        assert upper(of(np.zeros(n)).spread) < margin <= upper(of(np.zeros(n - 1)).spread)


def test_bounds_where_nobody_differs_are_clopper_and_pearsons() -> None:
    found = interval(of(np.zeros(20)).spread)
    assert (found.low, found.high) == pytest.approx((-(1 - 0.025**0.05), 1 - 0.025**0.05))


def test_bounds_are_those_of_student_where_people_are_many_and_differ_a_little() -> None:
    values = np.random.default_rng(0).normal(0.1, 0.3, 4000).clip(-1, 1)
    error = values.std(ddof=1) / np.sqrt(4000)
    assert upper(of(values).spread) == pytest.approx(values.mean() + 1.645 * error, abs=5e-4)
    assert lower(of(values).spread) == pytest.approx(values.mean() - 1.645 * error, abs=5e-4)


def test_two_people_who_happen_to_cancel_are_no_certainty() -> None:
    values = np.array([1.0, -1.0, *[0.0] * 58])
    # t over 60 people alone: 1.671 * sqrt(2) / 60 = 0.039; Clopper and Pearson for 0 of 60: 0.0487
    assert upper(of(values).spread) > MARGIN


def test_worlds_that_differ_widen_what_their_people_agree_on() -> None:
    values = np.tile([0.0, 0.1, 0.2], 40)  # three worlds, forty people each
    apart = upper(of(values, worlds=3).spread)
    # t with 2 degrees of freedom, 2.92, times 0.1 / sqrt(3)
    assert apart == pytest.approx(0.1 + 2.92 * 0.1 / np.sqrt(3), abs=1e-3)
    assert upper(of(values).spread) < apart - 0.1


def test_people_weigh_by_their_answers_within_a_world() -> None:
    row: list[Seed] = [{"ada": [1.0] * 3, "ben": [0.0]}, {"cleo": [1.0]}]
    rival: list[Seed] = [{"ada": [0.0] * 3, "ben": [0.0]}, {"cleo": [1.0]}]
    found = differences(row, rival)
    assert found.values.tolist() == [1.0, 0.0, 0.0]
    assert found.weights.tolist() == [0.375, 0.125, 0.5]
    # 1 / (0.375^2 + 0.125^2 + 0.5^2) people of equal weight; (3 of 4 answers + 0) / 2 worlds
    assert found.spread == Spread(0.375, 0.375, 1 / 0.40625, (0.75, 0.0))
    assert upper(found.spread) == 1.0


def test_lots_give_exact_p_values() -> None:
    # four people who all differ alike: of 16 ways to swap, 2 are as far off
    assert p_value(of(np.full(4, 0.3))) == pytest.approx(2 / 16, abs=0.01)
    assert p_value(of(np.zeros(8))) == 1.0
    assert p_value(of(np.full(40, 0.3))) == 1e-4
    rng = np.random.default_rng(0)
    values = [p_value(of(rng.choice([-1.0, 0.0, 1.0], 12)), seed=k) for k in range(200)]
    assert np.mean(np.array(values) <= 0.05) <= 0.05 + 2.5 * 0.0155
