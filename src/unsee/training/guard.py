"""A guard against divergence: a training that breaks what it should hold is stopped, at its last good state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field
from transformers import TrainerControl, TrainerState

from unsee.data.example import Example
from unsee.system.typed import typed
from unsee.training.likelihood import mean_log_likelihood
from unsee.training.watch import Watch
from unsee.vlm.encoding import Encoder
from unsee.vlm.policy import Policy

UNWATCHED = (
    "The guard had nothing to watch: no caption is to be held as a whole and there are no retain rows, so a divergence "
    "would not have been noticed. --retain FILE gives it rows."
)


class _Look(BaseModel):
    step: int
    watched: float


class _Known(BaseModel):
    """What a checkpoint holds of a guard, beside the weights."""

    looks: list[_Look] = Field(min_length=1)
    kept: int


@dataclass(frozen=True)
class Stopped:
    """What the guard saw when it stopped a training."""

    step: int  # at which the likelihood was too low
    kept: int  # step of the weights that were kept
    start: float  # mean log-likelihood of the watched answers before the first step; nats per token
    found: float  # the same at `step`


class HeldOutGuard(Watch):
    """Looks at the likelihood of some answers every so many steps.

    When it has fallen too far below that of the starting weights, the weights of the last look at which it had not are
    put back and the training ends. Ascent has no floor of its own; this is one for what is to be kept.

    Args:
        encoder: of the model.
        examples: the watched answers.
        drop: how far the mean may fall; nats per token.
        every: optimizer steps from one look to the next.
        batch_size: examples per forward pass.
    """

    what = "guard"
    start: float  # mean log-likelihood before the first step; nats per token

    def __init__(self, encoder: Encoder, examples: Sequence[Example], drop: float, every: int, batch_size: int) -> None:
        super().__init__()
        self.encoder, self.examples = encoder, examples
        self.drop, self.every, self.batch_size = drop, every, batch_size
        self.history: list[dict[str, float]] = []
        self.stopped: Stopped | None = None

    def begin(self, policy: Policy) -> None:
        """Take the first look, at the starting weights: they are good.

        Args:
            policy: the one that is trained, in the precision in which it is trained.
        """
        self.policy, self.stopped = policy, None
        self.start = self.likelihood()
        self.history = [{"step": 0, "watched": self.start}]
        self.keep(0)

    def likelihood(self) -> float:
        """Mean log-likelihood of the tokens of the watched answers; nats."""
        return mean_log_likelihood(self.policy, self.encoder, self.examples, self.batch_size)

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Look, and keep or put back."""
        if state.global_step % self.every and state.global_step < state.max_steps:
            return
        score = self.likelihood()
        self.history.append({"step": state.global_step, "watched": score})
        if score >= self.start - self.drop:
            self.keep(state.global_step)
            return
        self.put_back()
        self.stopped = Stopped(state.global_step, self.kept, self.start, score)
        control.should_training_stop = True
        control.should_save = False

    def known(self) -> dict[str, Any]:
        """Its looks."""
        return {"looks": self.history}

    def know(self, known: Any) -> None:
        """Take over the looks of a checkpoint."""
        self.history = [look.model_dump() for look in typed(known, _Known, "its header").looks]
        self.start = self.history[0]["watched"]


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
