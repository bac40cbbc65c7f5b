"""Losses of preference optimisation, on the likelihood of whole answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def npo(log_probs: Tensor, reference_log_probs: Tensor, beta: float) -> Tensor:
    """Negative preference optimisation (Zhang et al. 2024, arXiv 2404.05868, eq. 3).

    Pushes an answer below its reference likelihood and stops pushing once it is far below: the gradient is that of
    gradient ascent times 2 p^beta / (p^beta + p_ref^beta), which is 1 at the start.

    Args:
        log_probs: log-likelihood of each answer under the policy, summed over its tokens; shape (batch,), nats.
        reference_log_probs: the same under the frozen reference; shape (batch,), nats.
        beta: inverse temperature; towards 0 the loss becomes gradient ascent (up to a constant).

    Returns:
        Per-sample loss, shape (batch,): (2 / beta) * log(1 + (p / p_ref) ** beta).
    """
    import torch.nn.functional as F  # here, so that methods can be listed without the seconds that torch takes

    return (2 / beta) * F.softplus(beta * (log_probs - reference_log_probs.detach()))
