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
    return (2 / beta) * softplus(beta * (log_probs - reference_log_probs.detach()))


def npo_over_vocabulary(logits: Tensor, reference_logits: Tensor, beta: float, floor: float = 1e-8) -> Tensor:
    """What CLEAR's repository computes in place of `npo`; not the published loss.

    Every word of the vocabulary at every position has a ratio of its own, whatever the answer is: question, image
    tokens and padding count as much as the answer, and words that nobody says as much as those of the answer.

    Args:
        logits: of the policy, unnormalised, at all positions; shape (batch, time, vocabulary).
        reference_logits: of the frozen reference; same shape. Gradients do not flow into it.
        beta: inverse temperature.
        floor: added to the reference's probabilities, as in that code.

    Returns:
        Scalar: (2 / beta) times the mean over (batch, time, vocabulary) of log(1 + (p / (p_ref + floor)) ** beta).
    """
    frozen = (reference_logits.detach().softmax(-1) + floor).log()
    return (2 / beta) * softplus(beta * (logits.log_softmax(-1) - frozen)).mean()


def dpo(log_ratio: Tensor, rejected_log_ratio: Tensor, beta: float) -> Tensor:
    """Direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290, eq. 7).

    The factor before the logarithm is 1, as printed there. Zhang et al. 2024 (NPO, arXiv 2404.05868) write 1 / beta
    and OpenUnlearning has 2 / beta: those are weights of the same loss.

    Args:
        log_ratio: log(p / p_ref) of each whole answer that is preferred; shape (batch,), nats.
        rejected_log_ratio: the same of the answer that it is preferred to; shape (batch,), nats.
        beta: inverse temperature.

    Returns:
        Per-sample loss, shape (batch,): -log sigmoid(beta * (log_ratio - rejected_log_ratio)), log 2 at the start.
    """
    return softplus(-beta * (log_ratio - rejected_log_ratio))


def simnpo(mean_log_probs: Tensor, beta: float, delta: float) -> Tensor:
    """NPO without a reference, on the mean over an answer's tokens (Fan et al. 2024, arXiv 2410.07163).

    The margin is printed as gamma, outside beta; delta = gamma / beta is the same in nats per token, as in the authors'
    code.

    Args:
        mean_log_probs: log-likelihood of each answer divided by the number of its tokens; shape (batch,), nats.
        beta: inverse temperature, per nat of the mean.
        delta: nats per token at which the pull is that of gradient ascent; more likely answers are pulled up to twice
            as hard, less likely ones less and less.

    Returns:
        Per-sample loss, shape (batch,): (2 / beta) * log(1 + exp(beta * (mean_log_probs + delta))).
    """
    return (2 / beta) * softplus(beta * (mean_log_probs + delta))


def softplus(values: Tensor) -> Tensor:
    """log(1 + exp(x)) at any x, of any shape; PyTorch's own is x above 20, where its slope is off by up to 2e-9."""
    import torch.nn.functional as F  # here, so that methods can be listed without the seconds that torch takes

    return -F.logsigmoid(-values)
