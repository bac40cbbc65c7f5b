"""Losses on hidden states: steering them somewhere, or holding them where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def steering(hidden: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Squared distance of hidden states to a target, per position (Li et al. 2024, arXiv 2403.03218, eq. 1 and 2).

    Every position is compared by itself; the mean is then taken over the positions of a row, so that padding takes
    no part and longer rows do not weigh more.

    Args:
        hidden: of the policy; shape (batch, time, hidden).
        target: what they should be: one vector for all, of shape (hidden,), or the reference's hidden states, of
            shape (batch, time, hidden). Gradients do not flow into it.
        mask: True (or 1) at the positions that count; shape (batch, time).

    Returns:
        Per-sample loss, shape (batch,): mean over positions of the mean over hidden dimensions of the squared
        difference, at least 0.
    """
    per_position = (hidden - target.detach()).square().mean(-1)
    return (per_position * mask).sum(-1) / mask.sum(-1)


def pooled_steering(hidden: Tensor, target: Tensor) -> Tensor:
    """What CLEAR's repository computes in place of `steering`; not the published loss.

    Hidden states are averaged over all positions first, padding included, and the mean of shape (batch, hidden) is
    held against a target of shape (batch, 1, hidden): broadcasting compares every row with the vector of every row.

    Args:
        hidden: of the policy; shape (batch, time, hidden).
        target: shape (batch, 1, hidden).

    Returns:
        Scalar: the mean over (batch, batch, hidden).
    """
    return (hidden.mean(1) - target.detach()).square().mean()
