"""The divergence from the starting model, against numbers worked out by hand."""

from __future__ import annotations

from math import log

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.losses import worked
from unsee.losses import kl_divergence


def test_divergence_is_the_mean_over_the_masked_positions() -> None:
    # With all three positions in the mask: 0.229920 / 3 = 0.076640 (the normalisation of `batchmean` over three rows).
    everywhere = kl_divergence(worked.RETAIN, worked.RETAIN_REFERENCE, worked.EVERYWHERE)
    assert everywhere.tolist() == pytest.approx([worked.KL_RETAIN_SUM / 3], abs=1e-9)
    assert everywhere.item() == pytest.approx(0.07663993580170621, abs=1e-9)
    # With the two positions that predict an answer token, as methods call it: 0.229920 / 2.
    answer = kl_divergence(worked.RETAIN, worked.RETAIN_REFERENCE, worked.ANSWER)
    assert answer.tolist() == pytest.approx([worked.KL_RETAIN_SUM / 2], abs=1e-9)


def test_divergence_does_not_grow_with_batch_or_length() -> None:
    # Policy (1/2, 1/2), reference (3/4, 1/4): 3/4 ln(3/2) + 1/4 ln(1/2) = 0.130812 for one token and for 2 x 3 alike
    # (a sum over time divided by the batch would be three times that).
    expected = 0.75 * log(1.5) + 0.25 * log(0.5)
    assert expected == pytest.approx(0.1308120, abs=1e-7)
    policy = torch.zeros(2, 3, 2, dtype=torch.float64)
    reference = torch.tensor([log(3), 0.0], dtype=torch.float64).expand(2, 3, 2)
    one = kl_divergence(policy[:1, :1], reference[:1, :1], torch.ones(1, 1))
    many = kl_divergence(policy, reference, torch.ones(2, 3))
    assert one.tolist() == pytest.approx([expected], abs=1e-9)
    assert many.tolist() == pytest.approx([expected, expected], abs=1e-9)


def test_the_reference_is_the_first_argument_of_the_divergence() -> None:
    # KL(reference || policy) and KL(policy || reference) of the retain rows differ: 0.229920 and 0.232178.
    forward = kl_divergence(worked.RETAIN, worked.RETAIN_REFERENCE, worked.EVERYWHERE).item() * 3
    reverse = kl_divergence(worked.RETAIN_REFERENCE, worked.RETAIN, worked.EVERYWHERE).item() * 3
    # Reverse: row 0 policy (1/4, 1/2, 1/4) to uniform: ln(3/4) / 2 + ln(3/2) / 2; row 1: ln(2) / 4 once more.
    assert forward == pytest.approx(worked.KL_RETAIN_SUM, abs=1e-9)
    assert reverse == pytest.approx(0.5 * log(0.75) + 0.5 * log(1.5) + worked.LN2 / 4, abs=1e-9)


def test_no_gradient_flows_into_the_reference() -> None:
    policy, reference = worked.RETAIN.clone().requires_grad_(), worked.RETAIN_REFERENCE.clone().requires_grad_()
    kl_divergence(policy, reference, worked.ANSWER).sum().backward()
    assert policy.grad is not None
    assert policy.grad.abs().sum() > 0
    assert reference.grad is None


def _logits(seed: int, scale: float) -> Tensor:
    return scale * torch.randn(2, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@given(st.integers(0, 10_000), st.floats(0, 30))
def test_divergence_is_never_negative_and_zero_for_equal_models(seed: int, scale: float) -> None:
    policy, reference = _logits(seed, scale), _logits(seed + 1, scale)
    mask = torch.tensor([[1, 1, 1, 0], [0, 0, 0, 1]])
    assert (kl_divergence(policy, reference, mask) >= -1e-12).all()
    # Equal distributions: logits may still differ by a constant.
    assert kl_divergence(policy, policy + 3.0, mask).tolist() == pytest.approx([0.0, 0.0], abs=1e-9)
    assert kl_divergence(policy, policy, mask).tolist() == [0.0, 0.0]


@given(st.integers(0, 10_000), st.floats(-1e4, 1e4))
def test_what_lies_outside_the_answer_never_counts(seed: int, noise: float) -> None:
    policy, reference = _logits(seed, 1.0), _logits(seed + 1, 1.0)
    mask = torch.tensor([[0, 1, 1, 0], [0, 0, 0, 1]])
    outside = (mask == 0).unsqueeze(-1)
    noisy = (policy + noise * outside * _logits(seed + 2, 1.0)).requires_grad_()
    loss = kl_divergence(noisy, reference - noise * outside * _logits(seed + 3, 1.0), mask)
    loss.sum().backward()
    assert loss.tolist() == pytest.approx(kl_divergence(policy, reference, mask).tolist(), abs=1e-9)
    assert noisy.grad is not None
    assert not noisy.grad[mask == 0].any()
