"""Cross-entropy and its ascent, against numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.losses import worked
from unsee.losses.likelihood import cross_entropy, gradient_ascent


@pytest.mark.parametrize(
    ("logits", "answer", "expected"),
    [
        pytest.param(worked.FORGET, worked.FORGET_ANSWER, worked.CE_FORGET, id="forget"),
        pytest.param(worked.RETAIN, worked.RETAIN_ANSWER, worked.CE_RETAIN, id="retain"),
        pytest.param(worked.FORGET, worked.REFUSAL, worked.CE_REFUSAL, id="refusal"),
    ],
)
def test_cross_entropy_is_the_mean_over_answer_tokens(
    logits: torch.Tensor, answer: tuple[int, ...], expected: float
) -> None:
    loss = cross_entropy(worked.token_log_probs(logits, answer), worked.ANSWER)
    assert loss.tolist() == pytest.approx([expected], abs=1e-9)


def test_gradient_ascent_is_the_negative_cross_entropy() -> None:
    log_probs = worked.token_log_probs(worked.FORGET, worked.FORGET_ANSWER)
    assert gradient_ascent(log_probs, worked.ANSWER).tolist() == pytest.approx([-worked.CE_FORGET], abs=1e-9)
    # A loss of 2 nats per token becomes -2, and its gradient points the other way.
    two = torch.tensor([[-2.0, -2.0]], requires_grad=True)
    loss = gradient_ascent(two, torch.ones(1, 2))
    loss.sum().backward()
    assert loss.tolist() == [-2.0]
    assert two.grad is not None
    assert two.grad.tolist() == [[0.5, 0.5]]


def test_an_answer_counts_the_same_whatever_the_length_of_its_neighbours() -> None:
    # Tokens at -1 (one of them) and at -3 (four): means 1 and 3. A mean over the batch's tokens would give 13/5.
    log_probs = torch.tensor([[-1.0, 0, 0, 0], [-3.0, -3, -3, -3]])
    mask = torch.tensor([[1, 0, 0, 0], [1, 1, 1, 1]])
    assert cross_entropy(log_probs, mask).tolist() == [1.0, 3.0]


def test_a_row_without_answer_tokens_is_refused_rather_than_made_nan() -> None:
    with pytest.raises(ValueError, match="no answer token"):
        cross_entropy(torch.zeros(2, 3), torch.tensor([[1, 1, 0], [0, 0, 0]]))


@given(
    st.lists(st.floats(-20, 0), min_size=1, max_size=6),
    st.lists(st.floats(-1e6, 1e6), max_size=4),
    st.sampled_from([torch.bool, torch.int64, torch.float64]),
)
def test_what_lies_outside_the_answer_never_counts(answer: list[float], noise: list[float], dtype: torch.dtype) -> None:
    clean = cross_entropy(torch.tensor([answer], dtype=torch.float64), torch.ones(1, len(answer), dtype=dtype))
    padded = torch.tensor([[*noise, *answer]], dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[0] * len(noise) + [1] * len(answer)]).to(dtype)
    loss = cross_entropy(padded, mask)
    loss.sum().backward()
    assert loss.item() == pytest.approx(clean.item(), abs=1e-9)
    assert padded.grad is not None
    assert padded.grad[0, : len(noise)].tolist() == [0.0] * len(noise)
    assert padded.grad[0, len(noise) :].tolist() == pytest.approx([-1 / len(answer)] * len(answer))


def test_a_ceiling_lets_go_of_what_is_unlikely_enough() -> None:
    log_probs = torch.tensor([[-0.5, -0.3], [-3.0, -2.0]], dtype=torch.float64, requires_grad=True)
    mask = torch.ones(2, 2, dtype=torch.bool)
    loss = gradient_ascent(log_probs, mask, ceiling=1.0)
    # means 0.4 and 2.5 nats per token; the second is above the ceiling of 1
    assert torch.allclose(loss, torch.tensor([-0.4, -1.0], dtype=torch.float64))
    loss.sum().backward()
    assert log_probs.grad is not None
    assert torch.equal(log_probs.grad, torch.tensor([[0.5, 0.5], [0.0, 0.0]], dtype=torch.float64))
    assert torch.equal(gradient_ascent(log_probs, mask), gradient_ascent(log_probs, mask, ceiling=100.0))
