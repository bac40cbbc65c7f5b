"""The divergence from the starting model, against numbers worked out by hand."""

from __future__ import annotations

from math import log
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.losses import worked
from unsee.losses.divergence import certainty, kl_divergence, self_distillation


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


@pytest.mark.parametrize(
    "loss",
    [
        pytest.param(lambda logits, mask: kl_divergence(logits, logits, mask), id="kl_divergence"),
        pytest.param(certainty, id="certainty"),
        pytest.param(
            lambda logits, mask: self_distillation(logits, logits, mask.long(), mask, 1.0), id="self_distillation"
        ),
    ],
)
def test_a_row_without_answer_tokens_is_refused_rather_than_made_nan(loss: Any) -> None:
    with pytest.raises(ValueError, match="no answer token"):
        loss(_logits(0, 1.0), torch.tensor([[1, 1, 1, 0], [0, 0, 0, 0]]))


# Distance from chance.


def test_certainty_runs_from_a_coin_to_a_sure_word() -> None:
    # Over four words: uniform, entropy ln 4 of ln 4; (1/2, 1/2, 0, 0), ln 2 of ln 4; one word, 0 of ln 4.
    never = -torch.inf
    rows = [[1.0, 1, 1, 1], [0, 0, never, never], [0, never, never, never]]
    logits = torch.tensor(rows, dtype=torch.float64).unsqueeze(1)
    assert certainty(logits, torch.ones(3, 1)).tolist() == pytest.approx([0.0, 0.5, 1.0], abs=1e-12)


@given(st.integers(0, 10_000), st.floats(0, 30))
def test_certainty_is_a_share_and_falls_along_its_gradient(seed: int, scale: float) -> None:
    logits, mask = _logits(seed, scale).requires_grad_(), torch.tensor([[1, 1, 1, 0], [0, 0, 0, 1]])
    before = certainty(logits, mask)
    before.sum().backward()
    assert ((before >= -1e-9) & (before <= 1 + 1e-9)).all()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert not logits.grad[mask == 0].any()
    after = certainty(logits.detach() - 1e-3 * logits.grad, mask)
    assert (after <= before + 1e-12).all()


def test_certainty_is_the_same_for_vocabularies_of_any_size() -> None:
    # One word in ten of the vocabulary is possible: 1 - ln(V / 10) / ln V = ln(10) / ln V; with V^(1/2) words, 1/2.
    for words in (16, 10_000):
        logits = torch.full((1, 1, words), -torch.inf, dtype=torch.float64)
        logits[..., : round(words**0.5)] = 0.0
        assert certainty(logits, torch.ones(1, 1)).item() == pytest.approx(0.5, abs=1e-12)


# A reference that knows less.


def test_self_distillation_by_hand() -> None:
    # Reference (2, 1, 1) / 4 with the true word 0 lowered by ln 2: (1, 1, 1) / 3. Policy (1/2, 1/4, 1/4):
    # [ln 2 + 2 ln 4] / 3 = 5 ln(2) / 3.
    reference = torch.tensor([[[log(2), 0.0, 0.0]]], dtype=torch.float64)
    loss = self_distillation(reference, reference, torch.tensor([[0]]), torch.ones(1, 1), log(2))
    assert loss.item() == pytest.approx(5 * log(2) / 3, abs=1e-12)
    # By nothing: the cross-entropy with itself is its entropy, 1.5 ln 2.
    same = self_distillation(reference, reference, torch.tensor([[0]]), torch.ones(1, 1), 0.0)
    assert same.item() == pytest.approx(1.5 * log(2), abs=1e-12)


@given(st.integers(0, 10_000), st.floats(0, 20))
def test_self_distillation_ends_at_the_reference_with_the_true_word_lowered(seed: int, strength: float) -> None:
    reference, mask = _logits(seed, 2.0), torch.tensor([[1, 1, 1, 0], [0, 0, 0, 1]])
    labels = torch.tensor([[0, 4, 2, -100], [-100, -100, -100, 1]])
    learnt = reference.clone()
    for row, time in mask.nonzero().tolist():
        learnt[row, time, labels[row, time]] -= strength
    learnt.requires_grad_()
    at_rest = self_distillation(learnt, reference, labels, mask, strength)
    at_rest.sum().backward()
    assert learnt.grad is not None
    assert learnt.grad.abs().max() < 1e-9
    assert (self_distillation(_logits(seed + 1, 2.0), reference, labels, mask, strength) >= at_rest - 1e-9).all()


def test_self_distillation_looks_at_the_answer_alone() -> None:
    # What the labels hold outside, -100 or any word, and what the logits are there, makes no difference.
    policy, reference, mask = _logits(0, 1.0), _logits(1, 1.0), torch.tensor([[0, 1, 1, 0], [0, 0, 0, 1]])
    labels = torch.tensor([[-100, 1, 2, -100], [-100, -100, -100, 3]])
    found = self_distillation(policy, reference, labels, mask, 10.0)
    outside = (mask == 0).unsqueeze(-1)
    other = self_distillation(
        policy + 5 * outside * _logits(2, 1.0), reference - 5 * outside, labels.clamp(min=4), mask, 10.0
    )
    assert not torch.equal(found, other)  # the labels of the answer were changed, too
    kept = torch.where(mask.bool(), labels, torch.tensor(4))
    other = self_distillation(policy + 5 * outside * _logits(2, 1.0), reference - 5 * outside, kept, mask, 10.0)
    assert other.tolist() == pytest.approx(found.tolist(), abs=1e-12)


def test_gradients_are_those_of_finite_differences() -> None:
    policy, reference, mask = (
        _logits(0, 1.0).requires_grad_(),
        _logits(1, 1.0),
        torch.tensor([[1, 1, 0, 0], [0, 1, 1, 1]]),
    )
    labels = torch.tensor([[0, 1, -100, -100], [-100, 4, 3, 2]])
    for loss in (
        lambda logits: certainty(logits, mask),
        lambda logits: kl_divergence(logits, reference, mask),
        lambda logits: self_distillation(logits, reference, labels, mask, 2.0),
    ):
        assert torch.autograd.gradcheck(loss, (policy,))
