"""Losses on spans of one text: many phrases, some to be raised and some to be lowered, in a single forward pass.

The log-probability of a token depends on what stands before it alone. A phrase therefore costs the same in the whole
text as at the end of a row that stops behind it, and a sum of phrase losses is a sum of token losses with weights:
sum_i c_i (1 / n_i) sum_{t in i} l_t = sum_t w_t l_t, with w_t = sum_{i: t in i} c_i / n_i.
"""

from __future__ import annotations

from math import inf, log
from typing import TYPE_CHECKING

from unsee.losses.preference import softplus

if TYPE_CHECKING:
    from torch import Tensor

_LOW = 15.0  # nats: below, series of two terms are exact


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


def unlikelihood(log_odds: Tensor) -> Tensor:
    """-log(1 - p) of each token (Welleck et al. 2019, arXiv 1908.04319): bounded below by 0, gone once p is small.

    Args:
        log_odds: log(p / (1 - p)) of each token; any shape, nats. A log-probability would not do: where p rounds to 1
            nothing is left of 1 - p, and of the pull that is strongest there.

    Returns:
        The same shape: log(1 + exp(log_odds)).
    """
    return softplus(log_odds)


def span_sums(log_probs: Tensor, places: Tensor) -> Tensor:
    """Summed log-probability of each span; shape (batch, spans).

    Args:
        log_probs: of each token; shape (batch, time).
        places: as in `membership`.
    """
    inside = membership(places, log_probs.shape[-1]).to(log_probs.dtype)
    return (inside * log_probs.unsqueeze(1)).sum(-1)


def span_unlikelihood(log_odds: Tensor, places: Tensor) -> Tensor:
    """-log(1 - p) with p the geometric mean over a span's tokens, 0 for no span; shape (batch, spans).

    Args:
        log_odds: log(p / (1 - p)) of each token; shape (batch, time), nats.
        places: as in `membership`.
    """
    inside, tokens = membership(places, log_odds.shape[-1]), places[..., 1] - places[..., 0]
    # By logarithms of -log p, which are as fine for p next to 1 as for any other.
    of_tokens = _log_softplus(-log_odds).unsqueeze(1).masked_fill(~inside, -inf)
    of_tokens = of_tokens.masked_fill((tokens == 0).unsqueeze(-1), 0.0)  # a sum over nothing has no gradient
    means = of_tokens.logsumexp(-1) - tokens.clamp(min=1).to(log_odds.dtype).log()
    return _log_of_rest(means).masked_fill(tokens == 0, 0.0)


def _log_softplus(values: Tensor) -> Tensor:
    """log(log(1 + exp(x))); far below 0 that is x - exp(x) / 2. Each branch sees only what it can bear."""
    far = values < -_LOW
    low = values.masked_fill(~far, -_LOW)
    return (low - low.exp() / 2).where(far, softplus(values.masked_fill(far, 0.0)).log())


def _log_of_rest(log_loss: Tensor) -> Tensor:
    """-log(1 - exp(-x)) from the logarithm of x; next to 0 that is -log x + x / 2."""
    far = log_loss < -_LOW
    low, loss = log_loss.masked_fill(~far, -_LOW), log_loss.masked_fill(far, 0.0).exp()
    near = (-(-loss).expm1()).log().where(loss < log(2), (-(-loss).exp()).log1p())
    return -(low - low.exp() / 2).where(far, near)
