"""Divergences between the distributions of two models at the answer tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def kl_divergence(logits: Tensor, reference_logits: Tensor, mask: Tensor) -> Tensor:
    """KL(reference || policy), mean over an answer's tokens: how far the policy has moved from the reference.

    Padding, prompt and image positions take no part, and longer answers do not weigh more.

    Args:
        logits: of the policy, unnormalised; shape (batch, time, vocabulary).
        reference_logits: of the frozen reference; same shape. Gradients do not flow into it.
        mask: True (or 1) at answer tokens; shape (batch, time).

    Returns:
        Per-sample divergence, shape (batch,), nats per token, at least 0.
    """
    log_policy = logits.log_softmax(-1)
    log_reference = reference_logits.detach().log_softmax(-1)
    per_token = (log_reference.exp() * (log_reference - log_policy)).sum(-1)
    return (per_token * mask).sum(-1) / mask.sum(-1)
