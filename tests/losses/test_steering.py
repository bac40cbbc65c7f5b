"""Losses on hidden states, against numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unsee.losses.steering import pooled_steering, steering

# Two rows of two positions with two hidden dimensions.
HIDDEN = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [2.0, 2.0]]], dtype=torch.float64)
CONTROL = torch.tensor([3.0, 4.0], dtype=torch.float64)
ALL = torch.ones(2, 2, dtype=torch.bool)


def test_every_position_is_steered_by_itself() -> None:
    # Row 0: (1, 2) and (3, 4) to (3, 4): squares 4, 4 and 0, 0, mean 2. Row 1: 9, 16 and 1, 4: mean 7.5.
    assert steering(HIDDEN, CONTROL, ALL).tolist() == pytest.approx([2.0, 7.5], abs=1e-12)
    assert steering(HIDDEN, CONTROL, ALL).mean().item() == pytest.approx(4.75, abs=1e-12)


def test_states_are_held_against_those_of_the_reference() -> None:
    # Off by (1, 0) everywhere: squares 1, 0.
    moved = HIDDEN + torch.tensor([1.0, 0.0], dtype=torch.float64)
    assert steering(moved, HIDDEN, ALL).tolist() == pytest.approx([0.5, 0.5], abs=1e-12)
    assert steering(HIDDEN, HIDDEN, ALL).tolist() == [0.0, 0.0]


def test_rows_count_alike_however_long_they_are() -> None:
    # Rows of 1, 4 and 5 positions whose squares are 1, 2 and 3 everywhere: their mean is 2 (a sum over rows and
    # positions divided by the mean length, as a broadcast of (3,) over (3, 1) makes it, would be something else).
    mask = torch.arange(5) < torch.tensor([1, 4, 5]).unsqueeze(-1)
    hidden = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64).sqrt().view(3, 1, 1).expand(3, 5, 2)
    loss = steering(hidden, torch.zeros(2, dtype=torch.float64), mask)
    assert loss.tolist() == pytest.approx([1.0, 2.0, 3.0], abs=1e-12)


@given(st.integers(0, 10_000), st.floats(-1e4, 1e4))
def test_padding_never_counts(seed: int, noise: float) -> None:
    mask = torch.tensor([[False, True], [True, True]])
    drawn = torch.randn(2, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    noisy = (HIDDEN + noise * drawn * ~mask.unsqueeze(-1)).requires_grad_()
    loss = steering(noisy, CONTROL, mask)
    loss.sum().backward()
    assert loss.tolist() == pytest.approx([0.0, 7.5], abs=1e-9)
    assert noisy.grad is not None
    assert not noisy.grad[~mask].any()


def test_no_gradient_flows_into_the_target() -> None:
    target = HIDDEN.clone().requires_grad_()
    moved = (HIDDEN + 1.0).requires_grad_()
    steering(moved, target, ALL).sum().backward()
    assert target.grad is None
    assert moved.grad is not None
    assert moved.grad.abs().sum() > 0


def test_clears_repository_steers_means_towards_the_vectors_of_all_rows() -> None:
    # Means over positions (2, 3) and (1, 1), vectors (3, 4) and (0, 0), every pair: squares 1, 1, 4, 9, 4, 9, 1, 1.
    vectors = torch.tensor([[[3.0, 4.0]], [[0.0, 0.0]]], dtype=torch.float64)
    assert pooled_steering(HIDDEN, vectors).item() == pytest.approx(30 / 8, abs=1e-12)
