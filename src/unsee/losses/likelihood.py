"""Losses on the likelihood of answers: cross-entropy and its ascent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def answer_mean(per_token: Tensor, mask: Tensor) -> Tensor:
    """Mean over an answer's tokens of anything that is known of each; what lies outside the answer never counts.

    Args:
        per_token: shape (batch, time).
        mask: True (or 1) at answer tokens; shape (batch, time).

    Returns:
        Shape (batch,).

    Raises:
        ValueError: when a row has no answer token. An accelerator would have to be waited for to find out; there the
            mean of such a row is NaN, on which training stops.
    """
    tokens = mask.sum(-1)
    if tokens.device.type == "cpu" and bool((tokens == 0).any()):
        raise ValueError("a row has no answer token, so the mean over its answer is not defined")
    return (per_token * mask).sum(-1) / tokens


def cross_entropy(log_probs: Tensor, mask: Tensor) -> Tensor:
    """Mean negative log-likelihood of an answer's tokens.

    The mean is taken within each answer, not over the tokens of a batch, so that a sample counts the same in a batch
    of any make-up, under gradient accumulation and over processes. For one row, or answers of one length, it is the
    usual token mean.

    Args:
        log_probs: log-probability of each answer token; shape (batch, time), nats.
        mask: True (or 1) at answer tokens; shape (batch, time).

    Returns:
        Per-sample loss, shape (batch,), nats per token.

    Raises:
        ValueError: when a row has no answer token.
    """
    return -answer_mean(log_probs, mask)


def gradient_ascent(log_probs: Tensor, mask: Tensor, ceiling: float = 0.0) -> Tensor:
    """The cross-entropy, to be driven up: its negative (Jang et al. 2023, arXiv 2210.01504).

    Unbounded below as published: an answer that is long gone pulls hardest, one that is still certain hardly at all.
    A ceiling lets go of what is unlikely enough.

    Args:
        log_probs: as in `cross_entropy`.
        mask: as in `cross_entropy`.
        ceiling: nats per token above which an answer is left alone; 0 never leaves it.

    Returns:
        Per-sample loss, shape (batch,), nats per token.
    """
    loss = cross_entropy(log_probs, mask)
    return -(loss.clamp(max=ceiling) if ceiling else loss)
