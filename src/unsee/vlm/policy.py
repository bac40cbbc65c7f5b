"""What a model says about answers: logits and log-probabilities at the answer tokens, and nowhere else."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from unsee.vlm.encoding import IGNORED, Batch


class TokenLogProbs(NamedTuple):
    """Log-probability of each answer token.

    Attributes:
        values: nats, 0 where there is no answer token; shape (batch, longest answer).
        mask: True at answer tokens; shape (batch, longest answer).
    """

    values: Tensor
    mask: Tensor


class AnswerLogits(NamedTuple):
    """Distributions over the vocabulary at the places that predict answer tokens.

    Attributes:
        values: unnormalised, float32; shape (batch, longest answer, vocabulary).
        mask: True at answer tokens; shape (batch, longest answer).
    """

    values: Tensor
    mask: Tensor


class Policy:
    """A model as losses see it. Gradients flow unless the caller turns them off."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self._cuts_logits = "logits_to_keep" in inspect.signature(innermost(model).forward).parameters

    def answer_logits(self, batch: Batch) -> AnswerLogits:
        """One forward pass, logits at the answers only."""
        return AnswerLogits(self._logits(batch).float(), batch.labels != IGNORED)

    def token_log_probs(self, batch: Batch) -> TokenLogProbs:
        """Log-probability of each answer token given the image, the question and the answer before it."""
        mask = batch.labels != IGNORED
        logits = self._logits(batch).float()
        labels = batch.labels.masked_fill(~mask, 0).unsqueeze(-1)
        values = logits.gather(-1, labels).squeeze(-1) - logits.logsumexp(-1)
        return TokenLogProbs(values.masked_fill(~mask, 0.0), mask)

    def answer_log_probs(self, batch: Batch) -> Tensor:
        """Log-likelihood of each whole answer, the end of turn with it; shape (batch,), nats."""
        return self.token_log_probs(batch).values.sum(-1)

    def _logits(self, batch: Batch) -> Tensor:
        kept = batch.labels.shape[1] + 1
        extra: dict[str, Any] = {"logits_to_keep": kept} if self._cuts_logits else {}
        logits: Tensor = self.model(**batch.inputs, **extra, use_cache=False).logits
        return logits[:, -kept:-1]


def innermost(model: nn.Module) -> nn.Module:
    """The transformers model inside wrappers such as DistributedDataParallel and PEFT."""
    while isinstance(inner := getattr(model, "module", None), nn.Module):
        model = inner
    get_base_model = getattr(model, "get_base_model", None)
    return get_base_model() if callable(get_base_model) else model


@torch.no_grad()
def answer_scores(policy: Policy, batch: Batch) -> tuple[Tensor, Tensor]:
    """Summed log-probability and number of tokens of each answer, each of shape (batch,)."""
    log_probs = policy.token_log_probs(batch)
    return log_probs.values.sum(-1), log_probs.mask.sum(-1)
