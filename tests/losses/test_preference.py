"""Negative preference optimisation, against numbers worked out by hand."""

from __future__ import annotations

from math import log

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.losses import worked
from unsee.losses import npo

log_likelihoods = st.floats(-200, 0)
betas = st.floats(0.01, 5)


@pytest.mark.parametrize(
    ("beta", "expected"),
    [
        (1.0, 2 * log(3)),  # policy / reference = (1/6) / (1/12) = 2, so 2 ln(1 + 2) = 2.197225
        (0.1, 20 * log(1 + 2**0.1)),  # 20 ln(1 + 2^0.1) = 14.568100
    ],
)
def test_npo_of_the_worked_answer(beta: float, expected: float) -> None:
    log_probs = worked.token_log_probs(worked.FORGET, worked.FORGET_ANSWER).sum(-1)
    reference = worked.token_log_probs(worked.FORGET_REFERENCE, worked.FORGET_ANSWER).sum(-1)
    assert log_probs.item() == pytest.approx(worked.LOG_P_FORGET, abs=1e-9)  # -ln 6
    assert reference.item() == pytest.approx(worked.LOG_P_FORGET_REFERENCE, abs=1e-9)  # -ln 12
    assert npo(log_probs, reference, beta).tolist() == pytest.approx([expected], abs=1e-9)


@pytest.mark.parametrize(
    # With losses L = -log p of whole answers: (2 / b) ln(1 + e^(b (L_ref - L))), and its derivative by L is
    # -2 / (1 + e^(b (L - L_ref))); b = 0.4.
    ("loss", "reference_loss", "value", "derivative"),
    [
        (2.0, 1.5, 2.990694, -0.900332),  # 5 ln(1 + e^-0.2), -2 / (1 + e^0.2)
        (1.5, 1.5, 3.465736, -1.0),  # 5 ln 2: at the start the pull is that of gradient ascent
        (1.0, 2.0, 4.565076, -1.197375),  # 5 ln(1 + e^0.4), -2 / (1 + e^-0.4)
        (5.0, 1.5, 1.102087, -0.395632),  # 5 ln(1 + e^-1.4), -2 / (1 + e^1.4)
    ],
)
def test_npo_and_its_derivative_at_beta_of_two_fifths(
    loss: float, reference_loss: float, value: float, derivative: float
) -> None:
    current = torch.tensor([loss], dtype=torch.float64, requires_grad=True)
    result = npo(-current, torch.tensor([-reference_loss], dtype=torch.float64), beta=0.4)
    result.sum().backward()
    assert result.item() == pytest.approx(value, abs=1e-6)
    assert current.grad is not None
    assert current.grad.item() == pytest.approx(derivative, abs=1e-6)


@given(log_likelihoods, log_likelihoods, betas)
def test_the_pull_on_an_answer_is_twice_the_sigmoid_of_its_log_ratio(
    log_prob: float, reference: float, beta: float
) -> None:
    policy = torch.tensor([log_prob], dtype=torch.float64, requires_grad=True)
    frozen = torch.tensor([reference], dtype=torch.float64, requires_grad=True)
    npo(policy, frozen, beta).sum().backward()
    weight = 2 * torch.sigmoid(torch.tensor(beta * (log_prob - reference), dtype=torch.float64))
    assert policy.grad is not None
    assert policy.grad.item() == pytest.approx(weight.item(), rel=1e-9, abs=1e-12)
    assert frozen.grad is None


@given(log_likelihoods, log_likelihoods, betas)
def test_npo_is_bounded_below_by_zero_and_falls_with_the_likelihood(
    log_prob: float, reference: float, beta: float
) -> None:
    policy = torch.tensor([log_prob, log_prob - 1.0], dtype=torch.float64)
    here, below = npo(policy, torch.tensor(reference, dtype=torch.float64), beta).tolist()
    assert here >= below >= 0.0


@given(log_likelihoods, betas)
def test_npo_starts_at_two_over_beta_times_ln_two(reference: float, beta: float) -> None:
    start = torch.tensor([reference], dtype=torch.float64)
    assert npo(start, start, beta).item() == pytest.approx(2 / beta * log(2), rel=1e-12)
