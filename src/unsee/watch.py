"""A guard against divergence: a training that breaks what it should hold is stopped, at its last good state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import TrainerCallback, TrainerControl, TrainerState

from unsee.data.example import Example
from unsee.vlm.encoding import Encoder
from unsee.vlm.policy import Policy, answer_scores

UNWATCHED = (
    "The guard had nothing to watch: no caption is to be held as a whole and there are no retain rows, so a divergence "
    "would not have been noticed. --retain FILE gives it rows."
)


@dataclass(frozen=True)
class Stopped:
    """What the guard saw when it stopped a training."""

    step: int  # at which the likelihood was too low
    kept: int  # step of the weights that were kept
    start: float  # mean log-likelihood of the watched answers before the first step; nats a token
    found: float  # the same at `step`


class Watch(TrainerCallback):
    """Looks at the likelihood of some answers every so many steps.

    When it has fallen too far below that of the starting weights, the weights of the last look at which it had not are
    put back and the training ends. Ascent has no floor of its own; this is one for what is to be kept.

    Args:
        model: at its starting weights.
        encoder: of the model.
        examples: the watched answers.
        drop: how far the mean may fall; nats a token.
        every: optimizer steps from one look to the next.
        batch_size: examples a forward pass.
    """

    def __init__(
        self, model: nn.Module, encoder: Encoder, examples: Sequence[Example], drop: float, every: int, batch_size: int
    ) -> None:
        self.model, self.encoder, self.examples = model, encoder, examples
        self.drop, self.every, self.batch_size = drop, every, batch_size
        self.start = self.likelihood()
        self.looks: list[dict[str, float]] = [{"step": 0, "watched": self.start}]
        self.stopped: Stopped | None = None
        self._good: tuple[int, dict[str, Tensor]] = (0, {})

    @torch.no_grad()
    def likelihood(self) -> float:
        """Mean log-likelihood of the tokens of the watched answers; nats."""
        device, was_training = next(self.model.parameters()).device, self.model.training
        self.model.eval()
        total, tokens = 0.0, 0
        for start in range(0, len(self.examples), self.batch_size):
            batch = self.encoder.batch(self.examples[start : start + self.batch_size]).to(device)
            log_probs, counts = answer_scores(Policy(self.model), batch)
            total, tokens = total + float(log_probs.double().sum()), tokens + int(counts.sum())
        self.model.train(was_training)
        return total / tokens

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """The starting weights are good, and so are those of a checkpoint."""
        self._keep(state.global_step)

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Look, and keep or put back."""
        if state.global_step % self.every and state.global_step < state.max_steps:
            return
        found = self.likelihood()
        self.looks.append({"step": state.global_step, "watched": found})
        if found >= self.start - self.drop:
            self._keep(state.global_step)
            return
        kept, weights = self._good
        with torch.no_grad():
            for name, weight in self.model.named_parameters():
                if name in weights:
                    weight.copy_(weights[name])
        self.stopped = Stopped(state.global_step, kept, self.start, found)
        control.should_training_stop = True
        control.should_save = False

    def _keep(self, step: int) -> None:
        moving = {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}
        self._good = (step, {name: weight.detach().to("cpu", copy=True) for name, weight in moving.items()})


def watched(method_has_spans: bool, forget: Sequence[Example], retain: Sequence[Example], rows: int) -> list[Example]:
    """What to watch: captions that are to stay where captions are unlearned, else retain rows; evenly spread.

    Args:
        method_has_spans: whether forget rows are captions with spans.
        forget: the forget set.
        retain: the retain set; may be empty.
        rows: at most so many.
    """
    held = [row for row in forget if any(span.role == "sentence" for span in row.spans)] if method_has_spans else []
    chosen = held or list(retain)
    return [chosen[place * len(chosen) // rows] for place in range(rows)] if len(chosen) > rows else chosen
