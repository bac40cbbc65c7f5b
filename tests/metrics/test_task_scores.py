"""The harmonic mean over the numbers of tasks: by hand, and by a table of values."""

from __future__ import annotations

import json
import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.shared_data import shared
from unsee.metrics.task_scores import harmonic_mean


def test_harmonic_mean_table() -> None:
    for numbers, value in json.loads(shared("vectors", "clear_metrics.json").read_text())["hmean"]:
        assert harmonic_mean(numbers) == pytest.approx(value, abs=1e-9)


def test_harmonic_mean_edges() -> None:
    assert harmonic_mean([0.5, 0.25]) == pytest.approx(1 / 3, abs=1e-15)  # 2 / (2 + 4)
    assert harmonic_mean([1.0, 0.0]) == 0.0
    assert math.isnan(harmonic_mean([]))
    assert math.isnan(harmonic_mean([0.5, math.nan]))
    assert math.isnan(harmonic_mean([0.0, math.nan]))  # unknown is not zero
    assert math.isnan(harmonic_mean([0.5, -0.1]))


@given(st.lists(st.floats(1e-6, 1), min_size=1), st.randoms(use_true_random=False))
def test_harmonic_mean_is_blind_to_order_and_below_the_mean(numbers: list[float], random: Random) -> None:
    value = harmonic_mean(numbers)
    assert harmonic_mean(random.sample(numbers, len(numbers))) == pytest.approx(value, rel=1e-12)
    assert min(numbers) - 1e-12 <= value <= sum(numbers) / len(numbers) + 1e-12
