"""Negative preference optimisation, against numbers worked out by hand."""

from __future__ import annotations

from math import exp, log

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from tests.losses import worked
from unsee.losses.preference import dpo, npo, npo_over_vocabulary, simnpo

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
@example(0.0, -54.0, 0.375)  # PyTorch's softplus is a straight line from 20 on
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


# Preference of one answer over another.


@given(log_likelihoods, log_likelihoods, betas)
def test_dpo_starts_at_ln_two_and_falls_as_the_preferred_answer_gains(
    log_ratio: float, rejected: float, beta: float
) -> None:
    start = torch.tensor([log_ratio], dtype=torch.float64)
    assert dpo(start, start, beta).item() == pytest.approx(log(2), abs=1e-12)
    chosen, other = (torch.tensor([one], dtype=torch.float64, requires_grad=True) for one in (log_ratio, rejected))
    loss = dpo(chosen, other, beta)
    loss.sum().backward()
    # By how much it falls: beta * sigmoid(-beta * (difference)), and the same for the other one the other way.
    pull = beta * torch.sigmoid(torch.tensor(-beta * (log_ratio - rejected), dtype=torch.float64)).item()
    assert chosen.grad is not None
    assert other.grad is not None
    assert chosen.grad.item() == pytest.approx(-pull, rel=1e-9, abs=1e-12)
    assert other.grad.item() == pytest.approx(pull, rel=1e-9, abs=1e-12)
    assert loss.item() >= 0


def test_the_factor_before_dpo_is_one() -> None:
    # Preferred 1/2 of the reference, rejected 2 of it: -log sigmoid(0.1 * ln(1/4)) = ln(1 + 4^0.1) = 0.764862, where
    # 1 / beta would make it 7.65 and 2 / beta 15.3.
    loss = dpo(torch.tensor([log(0.5)]).double(), torch.tensor([log(2)]).double(), beta=0.1)
    assert loss.item() == pytest.approx(log(1 + 4**0.1), abs=1e-9) == pytest.approx(0.7648622425206851, abs=1e-9)


# Without a reference.


@pytest.mark.parametrize(
    ("mean", "beta", "delta", "expected"),
    [
        (-log(2), 1.0, 0.0, 2 * log(1.5)),  # 2 ln(1 + 1/2)
        (-log(2), 2.0, 0.0, log(1.25)),  # ln(1 + 1/4)
        (-log(2), 2.0, log(2), log(2)),  # the margin makes up for the likelihood: ln(1 + 1)
        (0.0, 0.5, 2.0, 4 * log(1 + exp(1.0))),  # 4 ln(1 + e^(0.5 * 2)), the margin within beta
    ],
)
def test_simnpo_by_hand(mean: float, beta: float, delta: float, expected: float) -> None:
    value = simnpo(torch.tensor([mean], dtype=torch.float64), beta, delta)
    assert value.item() == pytest.approx(expected, abs=1e-12)


@given(log_likelihoods, betas, st.floats(0, 5))
def test_the_pull_of_simnpo_is_that_of_ascent_at_the_margin_and_fades_below(
    mean: float, beta: float, delta: float
) -> None:
    at = torch.tensor([-delta, mean, mean - 1], dtype=torch.float64, requires_grad=True)
    simnpo(at, beta, delta).sum().backward()
    assert at.grad is not None
    margin, here, below = at.grad.tolist()
    assert margin == pytest.approx(1.0)
    assert 2 >= here >= below >= 0


# What CLEAR's repository has in its place.


def test_npo_over_the_vocabulary_knows_no_answer_and_no_mask() -> None:
    # Policy (1/2, 1/2), reference (3/4, 1/4), twice: ratios 2/3 and 2, so 2 * [ln(5/3) + ln 3] / 2 at beta 1.
    policy = torch.zeros(1, 2, 2, dtype=torch.float64)
    reference = torch.tensor([log(3), 0.0], dtype=torch.float64).expand(1, 2, 2)
    assert npo_over_vocabulary(policy, reference, 1.0).item() == pytest.approx(log(5), abs=1e-7)
    # A word that the reference rules out: its ratio is held by the 1e-8, (1/2) / 1e-8, and the other's is 1/2.
    impossible = torch.tensor([0.0, -torch.inf], dtype=torch.float64).expand(1, 2, 2)
    expected = log(1 + 0.5) + log(1 + 0.5e8)
    assert npo_over_vocabulary(policy, impossible, 1.0).item() == pytest.approx(expected, rel=1e-7)
