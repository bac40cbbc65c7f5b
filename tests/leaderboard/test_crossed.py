"""Seeds with the same people bring no further people: what is said of one after three trainings is one observation."""

from __future__ import annotations

import numpy as np
import pytest

from unsee.leaderboard.results import Results
from unsee.leaderboard.statistics import Seed, draw_people, draw_seeds

SIGHT, KEPT = "forget_vqa", "retain_vqa"


def answers(seed: int, share: float, people: int = 12) -> dict[str, Seed]:
    rng = np.random.default_rng([seed, int(100 * share)])
    return {
        SIGHT: {f"p{n}": list((rng.random(4) < share).astype(float)) for n in range(people)},
        KEPT: {f"r{n}": [1.0] * 4 for n in range(people)},
    }


def bench(seeds: list[int], crossed: bool) -> Results:
    """Of base, gold and a row, what each seed's training came to."""
    shares = {"base": 1.0, "gold": 0.2, "row": 0.5}
    made = {row: [answers(seed, share) for seed in seeds] for row, share in shares.items()}
    scored = {row: {probe: [of[probe] for of in by_seed] for probe in (SIGHT, KEPT)} for row, by_seed in made.items()}
    return Results(scored, [SIGHT], crossed)


def test_the_same_training_thrice_says_no_more_than_once() -> None:
    once, thrice, apart = bench([0], True), bench([0, 0, 0], True), bench([0, 0, 0], False)
    assert once.people(SIGHT) == thrice.people(SIGHT) == 12
    assert apart.people(SIGHT) == 36
    widths = []
    for found in (once, thrice, apart):
        score, gap = found.score("row", SIGHT), found.difference("row", "gold", SIGHT)
        widths.append((score.high - score.low, gap.high - gap.low))
    assert widths[1][0] == pytest.approx(widths[0][0], rel=0.1)
    assert widths[1][1] == pytest.approx(widths[0][1])
    assert widths[2][0] < 0.75 * widths[1][0]  # as if there were three times as many people
    (one,), (three,) = (found.compare([("row", "gold")], [SIGHT]) for found in (once, thrice))
    assert one.p == pytest.approx(three.p)


def test_trainings_that_differ_widen_what_is_claimed_of_a_difference() -> None:
    scored: dict[str, dict[str, list[Seed]]] = {
        row: {SIGHT: [{f"p{n}": [float(share)] for n in range(60)} for share in shares]}
        for row, shares in {"base": (1, 1, 1), "gold": (0, 0, 0), "steady": (0.5,) * 3, "shaky": (0, 0.5, 1)}.items()
    }
    found = Results(scored, [SIGHT], crossed=True)
    steady, shaky = (found.difference(row, "gold", SIGHT) for row in ("steady", "shaky"))
    assert steady.value == pytest.approx(0.5)
    assert shaky.value == pytest.approx(0.5)
    assert shaky.high - shaky.low > 2 * (steady.high - steady.low)


def test_a_resample_draws_the_same_people_under_every_seed() -> None:
    people: dict[str, list[Seed]] = {SIGHT: [{f"p{n}": [1.0] for n in range(5)}] * 3}
    chosen = draw_seeds(3, 200)
    drawn = draw_people(people, chosen, crossed=True)
    counts = np.full((200, 3, 5), -1)
    for seed in range(3):
        counts[chosen == seed] = np.stack([drawn[seed][f"p{n}"] for n in range(5)], axis=1)
    assert (counts == counts[:, :1]).all()
    assert (counts.sum(axis=2) == 5).all()
    assert len(np.unique(counts[:, 0], axis=0)) > 20


def test_equal_models_are_as_far_apart_as_chance_says_they_are() -> None:
    values, chance = [], []
    for seed in range(60):
        made = {"base": answers(0, 1.0), "gold": answers(1000 + seed, 0.2), "row": answers(2000 + seed, 0.2)}
        scored = {row: {probe: [of[probe]] * 3 for probe in (SIGHT, KEPT)} for row, of in made.items()}
        found = Results(scored, [SIGHT], crossed=True)
        values.append(found.distance("row").value)
        chance.append(found.distance_by_chance("row"))
    assert np.mean(chance) == pytest.approx(np.mean(values), rel=0.25)
