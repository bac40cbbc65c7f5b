"""Distances to gold: what chance adds to them is said, and their intervals hold the true one."""

from __future__ import annotations

import numpy as np
import pytest

from unsee.leaderboard.results import Results
from unsee.leaderboard.statistics import Seed

SIGHT, NAME = "forget_vqa", "forget_qa"


def answers(rng: np.random.Generator, people: int, forgotten: float, whole: bool) -> dict[str, list[Seed]]:
    """Of people in three worlds, five answers by sight and by name; what is forgotten by the one is by the other."""
    scored: dict[str, list[Seed]] = {SIGHT: [], NAME: []}
    for _ in range(3):
        lots = {f"p{n}": rng.random(1 if whole else 5) * np.ones(5) for n in range(people)}
        scored[SIGHT].append({who: list((one >= forgotten).astype(float)) for who, one in lots.items()})
        scored[NAME].append({who: list((one >= forgotten - 0.9).astype(float)) for who, one in lots.items()})
    return scored


def bench(seed: int, people: int, off: float, whole: bool) -> Results:
    """Gold forgets nine of ten by sight and nothing by name; a row forgets less of the one, or more and of both."""
    rng = np.random.default_rng([seed, people, whole])
    forgotten = {"base": 0.0, "gold": 0.9, "row": 0.9 + off}
    return Results({name: answers(rng, people, share, whole) for name, share in forgotten.items()}, [SIGHT])


def true_distance(off: float) -> float:
    """Half the gap by sight and half the shortfall by name."""
    return 0.5 * abs(off) + 0.5 * max(0.0, off)


@pytest.mark.parametrize("whole", [True, False], ids=["whole people", "answers for themselves"])
@pytest.mark.parametrize(("people", "off"), [(4, 0.0), (4, 0.08), (20, 0.0), (20, 0.08), (20, -0.1)])
def test_intervals_of_distances_hold_the_true_one(people: int, off: float, whole: bool) -> None:
    times, missed = 30, 0
    for seed in range(times):
        found = bench(seed, people, off, whole).distance("row")
        missed += not found.low - 1e-12 <= true_distance(off) <= found.high + 1e-12
    assert missed / times <= 0.05 + 2.5 * (0.05 * 0.95 / times) ** 0.5


def test_what_chance_alone_makes_of_a_distance_is_said_beside_it() -> None:
    equal = [bench(seed, 4, 0.0, whole=True) for seed in range(60)]
    values = [one.distance("row").value for one in equal]
    by_chance = [one.distance_by_chance("row") for one in equal]
    assert np.mean(values) > 0.02  # two models that are alike, and no distance to be seen but for chance
    assert np.mean(by_chance) == pytest.approx(np.mean(values), rel=0.15)


def test_a_distance_that_is_there_is_more_than_chance() -> None:
    found = bench(0, 20, -0.9, whole=True)
    assert found.distance("row").low > found.distance_by_chance("row")
