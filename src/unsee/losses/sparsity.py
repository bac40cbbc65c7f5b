"""The l1 norm of low-rank adapters, which draws their weights to zero one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def l1_of_factors(first: Tensor, second: Tensor) -> Tensor:
    """Sum of the magnitudes of both factors of an adapter, sum|A| + sum|B|: what CLEAR's first version adds.

    It is not small at the start, where A is random, and its pull on every weight is the same however large the task's
    own gradient is.

    Args:
        first: A, of any shape.
        second: B, of any shape.

    Returns:
        Scalar, at least 0.
    """
    return first.abs().sum() + second.abs().sum()


def l1_of_product(first: Tensor, second: Tensor, scaling: float) -> Tensor:
    """Sum of the magnitudes of what an adapter adds to its layer, sum|scaling * B A|: 0 at the start.

    Args:
        first: A; shape (rank, inputs), further dimensions count as inputs.
        second: B; shape (outputs, rank), further dimensions being of size 1.
        scaling: of the adapter, alpha / rank.

    Returns:
        Scalar, at least 0.
    """
    return abs(scaling) * (second.flatten(1) @ first.flatten(1)).abs().sum()
