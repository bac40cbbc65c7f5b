"""Losses on spans of one text: many phrases, some to be raised and some to be lowered, in a single forward pass.

The log-probability of a token depends on what stands before it alone. A phrase therefore costs the same in the whole
text as at the end of a row that stops behind it, and a sum of phrase losses is a sum of token losses with weights:
sum_i c_i (1 / n_i) sum_{t in i} l_t = sum_t w_t l_t, with w_t = sum_{i: t in i} c_i / n_i.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def membership(places: Tensor, time: int) -> Tensor:
    """Which tokens are in which span.

    Args:
        places: first token and the one behind the last; equal for no span. Shape (batch, spans, 2).
        time: number of token places.

    Returns:
        Bool, shape (batch, spans, time).
    """
    import torch

    at = torch.arange(time, device=places.device)
    return (at >= places[..., :1]) & (at < places[..., 1:])


def token_weights(places: Tensor, weights: Tensor, time: int) -> Tensor:
    """Weight of each token's loss when every span counts with its own weight and the mean over its tokens.

    Args:
        places: as in `membership`.
        weights: c_i of each span, of any sign; shape (batch, spans).
        time: number of token places.

    Returns:
        w_t = sum over the spans with t of c_i / n_i; shape (batch, time), of the type of `weights`.
    """
    inside = membership(places, time).to(weights.dtype)
    per_token = weights / inside.sum(-1).clamp(min=1)
    return (per_token.unsqueeze(-1) * inside).sum(1)


def unlikelihood(log_probs: Tensor) -> Tensor:
    """-log(1 - p) of each token (Welleck et al. 2019, arXiv 1908.04319): bounded below by 0, gone once p is small.

    Args:
        log_probs: log-probability of each token, at most 0; any shape, nats.

    Returns:
        The same shape; finite also where p rounds to 1.
    """
    import torch

    nearly_one = torch.finfo(log_probs.dtype).eps
    return -torch.log1p(-log_probs.exp().clamp(max=1 - nearly_one))


def span_sums(log_probs: Tensor, places: Tensor) -> Tensor:
    """Summed log-probability of each span; shape (batch, spans).

    Args:
        log_probs: of each token; shape (batch, time).
        places: as in `membership`.
    """
    inside = membership(places, log_probs.shape[-1]).to(log_probs.dtype)
    return (inside * log_probs.unsqueeze(1)).sum(-1)


def span_means(log_probs: Tensor, places: Tensor) -> Tensor:
    """Mean log-probability of the tokens of each span, 0 for no span; shape (batch, spans).

    Args:
        log_probs: of each token; shape (batch, time).
        places: as in `membership`.
    """
    return span_sums(log_probs, places) / (places[..., 1] - places[..., 0]).clamp(min=1)
