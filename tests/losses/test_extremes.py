"""No loss goes flat, infinite or the wrong way, however certain a model is: logits from -60 to 60."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import mpmath
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from unsee.losses.divergence import certainty, kl_divergence, self_distillation
from unsee.losses.likelihood import answer_mean, cross_entropy, gradient_ascent
from unsee.losses.preference import dpo, npo, npo_over_vocabulary, simnpo
from unsee.losses.spans import span_unlikelihood, unlikelihood
from unsee.vlm import AnswerLogits

LABELS = torch.tensor([[1, 0]])
MASK = torch.tensor([[True, True]])
SPAN = torch.tensor([[[0, 2]]])
SIZES = {torch.float32: 1e-4, torch.bfloat16: 1e-2, torch.float64: 1e-9}  # relative, of gradients in that type

logits_of = st.lists(st.lists(st.floats(-60, 60, width=32), min_size=3, max_size=3), min_size=2, max_size=2)
CERTAIN = [[-60.0, 60.0, -60.0], [60.0, -60.0, 0.0]]  # of both answer tokens
SURE = [[0.0, 16.0, 0.0], [20.0, 0.0, 0.0]]  # by so much that the probability is 1 in single precision
GONE = [[60.0, -60.0, -60.0], [-60.0, 60.0, 60.0]]  # neither is ever said
AT_A_SEAM = [[0.0, 15.0, -35.0], [0.0, 0.0, 0.0]]  # where a series takes over
TORN = [[0.0, 16.0, 0.0], [0.0, 60.0, 0.0]]  # one as good as certain, one gone


def odds(logits: Tensor) -> Tensor:
    return AnswerLogits(logits.float() if logits.dtype != torch.float64 else logits, MASK).token_log_odds(LABELS)


def log_probs(logits: Tensor) -> Tensor:
    return (
        AnswerLogits(logits.float() if logits.dtype != torch.float64 else logits, MASK).token_log_probs(LABELS).values
    )


REFERENCE = torch.tensor([[[0.0, 3.0, 1.0], [2.0, 0.5, -1.0]]])
OTHER = -2.0  # log ratio of the answer that another one is preferred to
LOSSES: dict[str, Callable[[Tensor], Tensor]] = {
    "cross_entropy": lambda z: cross_entropy(log_probs(z), MASK),
    "gradient_ascent": lambda z: gradient_ascent(log_probs(z), MASK),
    "npo": lambda z: npo(log_probs(z).sum(-1), log_probs(REFERENCE.to(z.dtype)).sum(-1), 0.1),
    "dpo": lambda z: dpo(log_probs(z).sum(-1), torch.full((1,), OTHER), 0.1),
    "simnpo": lambda z: simnpo(answer_mean(log_probs(z), MASK), 2.5, 0.5),
    "kl_divergence": lambda z: kl_divergence(z, REFERENCE.to(z.dtype), MASK),
    "certainty": lambda z: certainty(z, MASK),
    "self_distillation": lambda z: self_distillation(z, REFERENCE.to(z.dtype), LABELS, MASK, 10.0),
    "npo_over_vocabulary": lambda z: npo_over_vocabulary(z, REFERENCE.to(z.dtype), 0.1),
    "unlikelihood": lambda z: unlikelihood(odds(z)).sum(-1),
    "span_unlikelihood": lambda z: span_unlikelihood(odds(z), SPAN).sum(-1),
}


def gradient(loss: Callable[[Tensor], Tensor], logits: Sequence[Sequence[float]], dtype: torch.dtype) -> Tensor:
    """By the logits, which are of a type and go on in single precision, as a policy hands them on."""
    leaf = torch.tensor([logits], dtype=torch.float64).to(torch.bfloat16).to(dtype).requires_grad_()
    given = leaf.float() if dtype is torch.bfloat16 else leaf
    value = loss(given).sum()
    assert torch.isfinite(value)
    value.backward()
    assert leaf.grad is not None
    return leaf.grad.double()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=25, deadline=None)
@given(logits=logits_of)
@example(logits=CERTAIN)
@example(logits=SURE)
@example(logits=GONE)
@example(logits=TORN)
@example(logits=AT_A_SEAM)
def test_gradients_are_finite_and_those_of_double_precision(
    name: str, dtype: torch.dtype, logits: list[list[float]]
) -> None:
    found, exact = gradient(LOSSES[name], logits, dtype), gradient(LOSSES[name], logits, torch.float64)
    assert torch.isfinite(found).all()
    assert torch.allclose(found, exact, rtol=SIZES[dtype], atol=1e-6)
    large = exact.abs() > 1e-6
    assert torch.equal(found[large].sign(), exact[large].sign())


# What pushes a certain answer down must not lose sight of it: exact to the relative error, against 120 digits.


def exactly(name: str, logits: Sequence[Sequence[float]]) -> Tensor:
    """Gradients from the definitions: p = softmax, -log(1 - p) by token, -log(1 - geometric mean) of the span."""
    with mpmath.workdps(120):
        rows = [[mpmath.mpf(z) for z in row] for row in torch.tensor(logits).to(torch.bfloat16).double().tolist()]
        shares = [[mpmath.exp(z) / sum(map(mpmath.exp, row)) for z in row] for row in rows]
        right = [row[word] for row, word in zip(shares, LABELS[0].tolist(), strict=True)]
        by_log_p = {  # d loss / d log p of each token
            "gradient_ascent": [mpmath.mpf(1) / 2 for _ in right],
            "unlikelihood": [p / (1 - p) for p in right],
            "span_unlikelihood": [mpmath.sqrt(right[0] * right[1]) / (1 - mpmath.sqrt(right[0] * right[1])) / 2] * 2,
        }[name]
        return torch.tensor(
            [
                [
                    [float(slope * ((place == word) - share)) for place, share in enumerate(row)]
                    for slope, row, word in zip(by_log_p, shares, LABELS[0].tolist(), strict=True)
                ]
            ],
            dtype=torch.float64,
        )


@pytest.mark.parametrize("dtype", SIZES, ids=str)
@pytest.mark.parametrize("name", ["unlikelihood", "span_unlikelihood", "gradient_ascent"])
@settings(max_examples=25, deadline=None)
@given(logits=logits_of)
@example(logits=CERTAIN)
@example(logits=SURE)
@example(logits=GONE)
@example(logits=TORN)
@example(logits=AT_A_SEAM)
def test_what_lowers_an_answer_pushes_to_the_last_digit(
    name: str, dtype: torch.dtype, logits: list[list[float]]
) -> None:
    # 1e-37: the smallest normal number of single precision, which a pull of e^-120 is below
    torch.testing.assert_close(
        gradient(LOSSES[name], logits, dtype), exactly(name, logits), rtol=SIZES[dtype], atol=1e-37
    )


def test_unlikelihood_pushes_with_full_force_where_single_precision_calls_an_answer_certain() -> None:
    for name, force in (("unlikelihood", 1.0), ("span_unlikelihood", 0.5)):
        pushed = gradient(LOSSES[name], [[-60.0, 60.0, -60.0], [60.0, -60.0, -60.0]], torch.float32)
        assert [pushed[0, 0, 1].item(), pushed[0, 1, 0].item()] == pytest.approx([force, force], rel=1e-5)


@pytest.mark.parametrize("gap", [5.0, 17.0, 30.0, 60.0])
def test_uncertainty_is_sought_the_right_way_from_any_certainty(gap: float) -> None:
    # Entropy of (p, 1 - p) by its log odds g: dH/dg = -g p (1 - p); the loss is 1 - H / ln 2 at two words.
    leaf = torch.tensor([[[gap, 0.0]]], requires_grad=True)
    certainty(leaf, torch.tensor([[True]])).sum().backward()
    with mpmath.workdps(60):
        p = 1 / (1 + mpmath.exp(-gap))
        slope = float(gap * p * (1 - p) / mpmath.log(2))
    assert leaf.grad is not None
    assert leaf.grad[0, 0].tolist() == pytest.approx([slope, -slope], rel=1e-4)
