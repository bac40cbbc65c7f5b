"""The l1 norm of low-rank adapters, against numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unsee.losses.sparsity import l1_of_factors, l1_of_product

FIRST = torch.tensor([[1.0, -2.0], [0.0, 0.5]], dtype=torch.float64)
SECOND = torch.tensor([[0.0, 0.0], [3.0, -1.0]], dtype=torch.float64)


def test_the_factors_are_summed_each_for_itself() -> None:
    # 1 + 2 + 0 + 0.5 and 3 + 1; the pull on each is its sign.
    first, second = FIRST.clone().requires_grad_(), SECOND.clone().requires_grad_()
    norm = l1_of_factors(first, second)
    norm.backward()
    assert norm.item() == 7.5
    assert first.grad is not None
    assert second.grad is not None
    assert torch.equal(first.grad, FIRST.sign())
    assert torch.equal(second.grad, SECOND.sign())


def test_the_product_is_what_is_added_to_the_layer() -> None:
    # B A = ((0, 0), (3 * 1 - 1 * 0, 3 * -2 - 1 * 0.5)) = ((0, 0), (3, -6.5)): 9.5, and twice that at a scale of 2.
    assert l1_of_product(FIRST, SECOND, 1.0).item() == 9.5
    assert l1_of_product(FIRST, SECOND, 2.0).item() == 19.0
    # A fresh adapter adds nothing, though its factors are not small.
    assert l1_of_product(FIRST, torch.zeros(2, 2, dtype=torch.float64), 2.0).item() == 0.0


def test_convolutions_have_products_too() -> None:
    first, second = torch.randn(2, 3, 4, 4, dtype=torch.float64), torch.randn(5, 2, 1, 1, dtype=torch.float64)
    whole = torch.einsum("or,rihw->oihw", second[..., 0, 0], first)
    assert l1_of_product(first, second, 0.5).item() == pytest.approx(0.5 * whole.abs().sum().item())


@settings(max_examples=10)
@given(st.integers(0, 10_000), st.floats(0.1, 4))
def test_gradients_are_those_of_finite_differences(seed: int, scaling: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    first, second = (torch.randn(*shape, generator=generator).double() for shape in ((2, 3), (4, 2)))
    away = (second @ first).abs().min() > 1e-3 and first.abs().min() > 1e-3 and second.abs().min() > 1e-3
    if away:  # from the corners of the magnitude
        leaves = first.requires_grad_(), second.requires_grad_()
        assert torch.autograd.gradcheck(lambda a, b: l1_of_product(a, b, scaling), leaves)
        assert torch.autograd.gradcheck(l1_of_factors, leaves)
