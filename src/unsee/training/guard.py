"""A guard against divergence: a training that breaks what it should hold is stopped, at its last good state."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState

from unsee.data.example import Example
from unsee.errors import InputError
from unsee.system import processes
from unsee.system.strict import parse_json
from unsee.system.typed import typed
from unsee.vlm.encoding import Encoder
from unsee.vlm.policy import Policy, answer_scores

UNWATCHED = (
    "The guard had nothing to watch: no caption is to be held as a whole and there are no retain rows, so a divergence "
    "would not have been noticed. --retain FILE gives it rows."
)


STATE = "guard.safetensors"  # in a checkpoint: what the guard knew then


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


class HeldOutGuard(TrainerCallback):
    """Looks at the likelihood of some answers every so many steps.

    When it has fallen too far below that of the starting weights, the weights of the last look at which it had not are
    put back and the training ends. Ascent has no floor of its own; this is one for what is to be kept. What it knows
    is part of every checkpoint. `UnlearnTrainer` starts it and resumes it.

    Args:
        encoder: of the model.
        examples: the watched answers.
        drop: how far the mean may fall; nats per token.
        every: optimizer steps from one look to the next.
        batch_size: examples per forward pass.
    """

    policy: Policy
    start: float  # mean log-likelihood before the first step; nats per token

    def __init__(self, encoder: Encoder, examples: Sequence[Example], drop: float, every: int, batch_size: int) -> None:
        self.encoder, self.examples = encoder, examples
        self.drop, self.every, self.batch_size = drop, every, batch_size
        self.history: list[dict[str, float]] = []
        self.stopped: Stopped | None = None
        self._good: tuple[int, dict[str, Tensor]] = (0, {})

    def begin(self, policy: Policy) -> None:
        """Take the first look, at the starting weights: they are good.

        Args:
            policy: the one that is trained, in the precision in which it is trained.
        """
        self.policy, self.stopped = policy, None
        self.start = self.likelihood()
        self.history = [{"step": 0, "watched": self.start}]
        self._good = (0, self._moving())

    @torch.no_grad()
    def likelihood(self) -> float:
        """Mean log-likelihood of the tokens of the watched answers; nats."""
        model, was_training = self.policy.model, self.policy.model.training
        device = next(model.parameters()).device
        model.eval()
        sums: dict[int, tuple[float, int]] = {}  # by the first row of a batch
        with processes.as_one():
            for start in processes.share(range(0, len(self.examples), self.batch_size)):
                batch = self.encoder.batch(self.examples[start : start + self.batch_size]).to(device)
                log_probs, counts = answer_scores(self.policy, batch)
                sums[start] = float(log_probs.double().sum()), int(counts.sum())
        model.train(was_training)
        totals, tokens = zip(*(each for _, each in sorted(processes.together(sums).items())), strict=True)
        return float(sum(totals) / sum(tokens))

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Look, and keep or put back."""
        if state.global_step % self.every and state.global_step < state.max_steps:
            return
        score = self.likelihood()
        self.history.append({"step": state.global_step, "watched": score})
        if score >= self.start - self.drop:
            self._good = (state.global_step, self._moving())
            return
        kept, weights = self._good
        with torch.no_grad():
            for name, weight in self.policy.model.named_parameters():
                if name in weights:
                    weight.copy_(weights[name])
        self.stopped = Stopped(state.global_step, kept, self.start, score)
        control.should_training_stop = True
        control.should_save = False

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Put what is known into the checkpoint; the good weights too, unless they are those of the checkpoint."""
        if state.is_world_process_zero:
            kept, weights = self._good
            known = json.dumps({"looks": self.history, "kept": kept})
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            save_file({} if kept == state.global_step else weights, folder / STATE, metadata={"guard": known})

    def resume(self, checkpoint: Path) -> None:
        """Know again what was known at a checkpoint, whose weights the model has.

        Raises:
            InputError: when the checkpoint was written without a guard, or what the guard wrote is damaged.
        """
        path = checkpoint / STATE
        if not path.is_file():
            raise InputError(f"{checkpoint}: has no {STATE}, as it was written without a guard; resume without one")
        try:
            with safe_open(path, framework="pt") as stored:
                header = parse_json((stored.metadata() or {})["guard"], "its header")
                weights = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 -- no dictionary
            known = typed(header, _Known, "its header")
        except (SafetensorError, KeyError, InputError) as error:
            raise InputError(f"{path}: not what a guard wrote ({error}); remove {checkpoint}") from error
        self.history = [look.model_dump() for look in known.looks]
        self.start = self.history[0]["watched"]
        self._good = (known.kept, weights or self._moving())

    def _moving(self) -> dict[str, Tensor]:
        """A copy of the weights that may move, off the accelerator."""
        return {
            name: weight.detach().to("cpu", copy=True)
            for name, weight in self.policy.model.named_parameters()
            if weight.requires_grad
        }


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
