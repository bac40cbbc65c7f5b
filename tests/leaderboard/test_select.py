"""The rule of selection, by hand."""

from __future__ import annotations

import math

import pytest

from unsee.evaluation.criteria import FORGET_PROBES
from unsee.leaderboard.grids import Configuration
from unsee.leaderboard.select import choose, distance

BASE = {"forget_vqa": 1.0, "forget_qa": 1.0, "retain_vqa": 1.0, "scenes": 0.8}
GOLD = {"forget_vqa": 0.1, "forget_qa": 1.0, "retain_vqa": 0.9, "scenes": 0.9}


def test_gold_is_at_zero_and_the_base_is_as_far_as_it_remembers() -> None:
    assert distance(GOLD, BASE, GOLD, FORGET_PROBES["visual"]) == 0
    assert distance(BASE, BASE, GOLD, FORGET_PROBES["visual"]) == pytest.approx(0.5 * 0.9)


def test_forgetting_more_than_gold_is_a_miss_too() -> None:
    assert distance({**GOLD, "forget_vqa": 0.0}, BASE, GOLD, FORGET_PROBES["visual"]) == pytest.approx(0.05)
    assert distance({**GOLD, "forget_vqa": 0.2}, BASE, GOLD, FORGET_PROBES["visual"]) == pytest.approx(0.05)


def test_shortfall_is_below_gold_or_base_whichever_is_lower() -> None:
    # kept: forget_qa 1.0, retain_vqa 0.9, scenes 0.8; shortfalls 0.4, 0, 0.2 -> mean 0.2, half of it 0.1
    lost = {"forget_vqa": 0.1, "forget_qa": 0.6, "retain_vqa": 0.95, "scenes": 0.6}
    assert distance(lost, BASE, GOLD, FORGET_PROBES["visual"]) == pytest.approx(0.1)


def test_what_is_to_go_follows_the_request() -> None:
    gold = {**GOLD, "forget_qa": 0.0}
    assert distance({**gold, "forget_qa": 1.0}, BASE, gold, FORGET_PROBES["both"]) == pytest.approx(
        0.25
    )  # half of mean(0, 1)
    assert distance({**GOLD, "forget_qa": 0.0}, BASE, GOLD, FORGET_PROBES["textual"]) == pytest.approx(0.5)


def test_the_smallest_mean_over_seeds_wins_and_ties_go_to_fewer_steps_then_smaller_rates() -> None:
    made = [Configuration(3e-4, 50), Configuration(1e-4, 50), Configuration(1e-4, 30), Configuration(3e-4, 30)]
    assert choose({0: [0.0, 0.3], 1: [0.1, 0.1], 2: [0.2, 0.2], 3: [0.2, 0.2]}, made) == 1
    assert choose({place: [0.1] for place in range(4)}, made) == 2
    assert choose({0: [0.2], 1: [math.inf], 2: [math.inf], 3: [0.2]}, made) == 3
    assert choose({place: [math.inf] for place in range(4)}, made) == 2
