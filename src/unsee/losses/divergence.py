"""Divergences at the answer tokens: of the policy from another model, from one that it should become, from chance."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

from unsee.losses.likelihood import answer_mean

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

    Raises:
        ValueError: when a row has no answer token.
    """
    log_policy = logits.log_softmax(-1)
    log_reference = reference_logits.detach().log_softmax(-1)
    per_token = (log_reference.exp() * (log_reference - log_policy)).sum(-1)
    return answer_mean(per_token, mask)


def certainty(logits: Tensor, mask: Tensor) -> Tensor:
    """KL(policy || uniform) / log V, mean over an answer's tokens: 1 minus the share of the largest possible entropy.

    To be minimised where a model is to be as uncertain as can be. The division by log V makes it the same number for
    vocabularies of any size. It is bounded on both sides, so that its pull ends by itself.

    Args:
        logits: of the policy, unnormalised; shape (batch, time, vocabulary).
        mask: True (or 1) at answer tokens; shape (batch, time).

    Returns:
        Per-sample, shape (batch,): 0 for the uniform distribution, 1 for a certain word.

    Raises:
        ValueError: when a row has no answer token.
    """
    from unsee.losses.odds import entropy  # here, so that methods can be listed without the seconds that torch takes

    return answer_mean(1 - entropy(logits) / log(logits.shape[-1]), mask)


def self_distillation(
    logits: Tensor, reference_logits: Tensor, labels: Tensor, mask: Tensor, strength: float
) -> Tensor:
    """Cross-entropy with a reference that knows the answer less well (Dong et al. 2025, arXiv 2402.10052).

    The reference's logit of each true token is lowered and its distribution taken as the one to learn, so that the
    likelihood goes to what the reference holds for the next best words. Nothing is driven without bound.

    Args:
        logits: of the policy, unnormalised; shape (batch, time, vocabulary).
        reference_logits: of the frozen reference; same shape. Gradients do not flow into it.
        labels: the true tokens, anything where there is none; shape (batch, time).
        mask: True (or 1) at answer tokens; shape (batch, time).
        strength: how far the logit of the true token is lowered; 0 holds the policy at the reference.

    Returns:
        Per-sample loss, shape (batch,), nats per token. Its minimum is the entropy of what is learnt, not 0.

    Raises:
        ValueError: when a row has no answer token.
    """
    words = labels.masked_fill(~mask.bool(), 0).unsqueeze(-1)
    lowered = reference_logits.detach().scatter_add(-1, words, reference_logits.new_full(words.shape, -strength))
    return answer_mean(-(lowered.softmax(-1) * logits.log_softmax(-1)).sum(-1), mask)
