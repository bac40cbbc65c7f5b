"""Log odds and entropy of distributions over words, exact where a probability rounds to 1.

With g = log(p / (1 - p)), log p is -softplus(-g) and log(1 - p) is -softplus(g). Both keep all their digits at any g,
while 1 - exp(log p) is 0 in single precision once the word is 16 nats ahead of the others.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def log_odds(logits: Tensor, words: Tensor) -> Tensor:
    """log(p / (1 - p)) of one word at each place: its logit less the log-sum-exp of all others.

    Args:
        logits: unnormalised; shape (..., vocabulary).
        words: of which the odds are; shape (...).

    Returns:
        Shape (...), nats. Of the size of the logits nothing but they themselves is kept for the gradient.
    """
    odds: Tensor = _LogOdds.apply(logits, words.unsqueeze(-1))
    return odds


def entropy(logits: Tensor) -> Tensor:
    """Entropy of each distribution, whose gradient points away from certainty however near it is.

    Args:
        logits: unnormalised; shape (..., vocabulary).

    Returns:
        Shape (...), nats.
    """
    entropies: Tensor = _Entropy.apply(logits)
    return entropies


class _LogOdds(torch.autograd.Function):
    """The gradient is 1 at the word and minus the softmax among the others, with no difference of near numbers."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, words: Tensor) -> Tensor:
        rest = logits.scatter(-1, words, -torch.inf).logsumexp(-1, keepdim=True)
        ctx.save_for_backward(logits, words, rest)
        return (logits.gather(-1, words) - rest).squeeze(-1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        logits, words, rest = ctx.saved_tensors
        own = gradient.unsqueeze(-1)
        # The word's own entry overflows where it is far ahead; it is overwritten.
        return (logits - rest).exp_().mul_(-own).scatter_(-1, words, own), None


class _Entropy(torch.autograd.Function):
    """dH / dz = -p (log p + H): next to certainty both terms are small by themselves, none is left of a difference."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor) -> Tensor:
        highest, top = logits.max(-1, keepdim=True)
        odds = highest - logits.scatter(-1, top, -torch.inf).logsumexp(-1, keepdim=True)
        log_p = (logits - highest).add_(F.logsigmoid(odds)).clamp_(min=-1e4)  # 0 * log 0 is 0 and never NaN
        entropies = -(log_p.exp() * log_p).sum(-1, keepdim=True)
        ctx.save_for_backward(log_p, entropies)
        return entropies.squeeze(-1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        log_p, entropies = ctx.saved_tensors
        slope: Tensor = -gradient.unsqueeze(-1) * log_p.exp() * (log_p + entropies)
        return slope
