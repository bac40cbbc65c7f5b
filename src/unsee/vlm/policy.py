"""What a model says about answers: logits and log-probabilities at the answer tokens, and nowhere else."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unsee.losses.odds import log_odds
from unsee.vlm.batch import IGNORED, Batch


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

    def token_log_odds(self, labels: Tensor) -> Tensor:
        """Log odds of each answer token, from the labels of the same batch; 0 elsewhere, shape (batch, answer)."""
        odds = log_odds(self.values, labels.masked_fill(~self.mask, 0))
        return odds.masked_fill(~self.mask, 0.0)

    def token_log_probs(self, labels: Tensor) -> TokenLogProbs:
        """Log-probability of each answer token, from the labels of the same batch."""
        log_probs = F.logsigmoid(self.token_log_odds(labels))
        return TokenLogProbs(log_probs.masked_fill(~self.mask, 0.0), self.mask)


class HiddenStates(NamedTuple):
    """What one layer of the decoder makes of every position of a batch.

    Attributes:
        values: the residual stream behind the layer, float32; shape (batch, time, hidden).
        mask: True at the positions of a row, image tokens among them, and False at padding; shape (batch, time).
    """

    values: Tensor
    mask: Tensor

    def at_answers(self, labels: Tensor) -> HiddenStates:
        """Those at the places that predict answer tokens alone, from the labels of the same batch."""
        return HiddenStates(self.values[:, -labels.shape[1] - 1 : -1], labels != IGNORED)


class Policy:
    """A model as losses see it. Gradients flow unless the caller turns them off.

    Args:
        model: a vision-language model.
        autocast: what each forward pass runs under, such as `accelerator.autocast`. All that is to be compared (policy,
            reference, guard, mask) needs the same one: half precision moves a log-likelihood by hundredths of a nat.
    """

    def __init__(self, model: nn.Module, autocast: Callable[[], AbstractContextManager[Any]] = nullcontext) -> None:
        self.model, self.autocast = model, autocast
        self._cuts_logits = "logits_to_keep" in inspect.signature(innermost(model).forward).parameters

    def answer_logits(self, batch: Batch) -> AnswerLogits:
        """One forward pass, logits at the answers only."""
        return AnswerLogits(self._logits(batch).float(), batch.labels != IGNORED)

    def token_log_odds(self, batch: Batch) -> Tensor:
        """Log odds of each answer token, exact however certain it is; 0 elsewhere, shape (batch, longest answer)."""
        return self.answer_logits(batch).token_log_odds(batch.labels)

    def token_log_probs(self, batch: Batch) -> TokenLogProbs:
        """Log-probability of each answer token given the image, the question and the answer before it."""
        return self.answer_logits(batch).token_log_probs(batch.labels)

    def answer_log_probs(self, batch: Batch) -> Tensor:
        """Log-likelihood of each whole answer, the end of turn with it; shape (batch,), nats."""
        return self.token_log_probs(batch).values.sum(-1)

    def all_logits(self, batch: Batch) -> Tensor:
        """Logits at every position, padding and image tokens too, for variants that compare everywhere.

        Many times as large as `answer_logits`, and none of the published losses needs it.

        Returns:
            Unnormalised, float32; shape (batch, time, vocabulary).
        """
        logits: Tensor = self._forward(batch).logits
        return logits.float()

    def hidden_states(self, batch: Batch, depth: float) -> HiddenStates:
        """What the decoder holds at a depth, at every position.

        Args:
            batch: rows with their answers.
            depth: fraction of the decoder's layers behind which to look, from 0 to 1: the nearest layer, the first
                at least. The last one counts as the model's own head sees it, normalised.
        """
        extra: dict[str, Any] = {"logits_to_keep": 1} if self._cuts_logits else {}
        output = self._forward(batch, **extra, output_hidden_states=True)
        layers = len(output.hidden_states) - 1  # the first are the embeddings
        values = output.hidden_states[max(1, round(depth * layers))].float()
        return HiddenStates(values, batch.inputs["attention_mask"].bool())

    @property
    def hidden_size(self) -> int:
        """Width of the decoder's hidden states."""
        return int(innermost(self.model).config.get_text_config().hidden_size)  # type: ignore[union-attr,operator]

    def _logits(self, batch: Batch) -> Tensor:
        kept = batch.labels.shape[1] + 1
        extra: dict[str, Any] = {"logits_to_keep": kept} if self._cuts_logits else {}
        logits: Tensor = self._forward(batch, **extra).logits
        return logits[:, -kept:-1]

    def _forward(self, batch: Batch, **options: Any) -> Any:
        with self.autocast():
            return self.model(**batch.inputs, **options, use_cache=False)


def innermost(model: nn.Module) -> nn.Module:
    """The transformers model inside PEFT's wrapper, or the model itself."""
    get_base_model = getattr(model, "get_base_model", None)
    return get_base_model() if callable(get_base_model) else model


@torch.no_grad()
def answer_scores(policy: Policy, batch: Batch) -> tuple[Tensor, Tensor]:
    """Summed log-probability and number of tokens of each answer, each of shape (batch,)."""
    log_probs = policy.token_log_probs(batch)
    return log_probs.values.sum(-1), log_probs.mask.sum(-1)
