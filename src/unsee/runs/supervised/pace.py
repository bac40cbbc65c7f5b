"""How fast and how long a model learns, where nobody said: by whether it knows anything yet.

Weights that were trained on much move a little (1e-5, as LLaVA, CLEAR and MLLMU-Bench fine-tune), adapters more (1e-4,
as adapters start at nothing). Random weights need steps of a hundred times that, and many more passes. Which of the two
a model is shows in its own predictions: those of random weights are about as uncertain as can be, those of a trained
model are not, even where they are wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from unsee.benchmarks.sets import spread
from unsee.data import Example
from unsee.runs.settings import LORA_RATE, WHOLE_RATE
from unsee.runs.supervised.settings import (
    EPOCHS,
    EPOCHS_FROM_NOTHING,
    LONGEST_WARM_UP,
    RATE_FROM_NOTHING,
    WARM_UP,
    TrainSettings,
)
from unsee.system import processes
from unsee.vlm import LoadedModel
from unsee.vlm.policy import Policy, innermost

LOOKED_AT = 16  # rows, to see whether a model knows anything
NOTHING = 0.8  # of the entropy of no knowledge at all; random weights are above 0.9, models of any language below 0.5


@dataclass(frozen=True)
class Pace:
    """How fast and how long a training goes.

    Attributes:
        learning_rate: the highest one.
        steps: optimizer steps, at most.
        warmup_steps: of them, until that rate.
        from_nothing: whether the model knew nothing to begin with.
    """

    learning_rate: float
    steps: int
    warmup_steps: int
    from_nothing: bool


def pace_of(settings: TrainSettings, loaded: LoadedModel, rows: Sequence[Example]) -> Pace:
    """The pace that the settings ask for, or the one that suits the model.

    Args:
        settings: of the training.
        loaded: the model at its starting weights.
        rows: to be learned.
    """
    nothing = processes.agreed(uncertainty(loaded, spread(rows, LOOKED_AT)) >= NOTHING)
    usual = LORA_RATE if settings.lora else RATE_FROM_NOTHING if nothing else WHOLE_RATE
    epochs = settings.epochs or (EPOCHS_FROM_NOTHING if nothing else EPOCHS)
    rows_per_step = settings.batch_size * settings.gradient_accumulation * processes.count()
    steps = settings.max_steps or math.ceil(epochs * len(rows) / rows_per_step)
    warm_up = settings.warmup_steps
    if warm_up is None:
        warm_up = min(LONGEST_WARM_UP, round(WARM_UP * steps))
    return Pace(settings.learning_rate or usual, steps, warm_up, nothing)


@torch.no_grad()
def uncertainty(loaded: LoadedModel, rows: Sequence[Example]) -> float:
    """Mean entropy of a model's predictions at the tokens of some answers, over the entropy of no knowledge at all.

    Args:
        loaded: the model.
        rows: encoded one by one, so that it depends on no batch size.
    """
    model, was_training = loaded.model, loaded.model.training
    model.eval()
    policy, total, tokens = Policy(model), 0.0, 0
    for row in rows:
        logits, mask = policy.answer_logits(loaded.encoder.batch([row]).to(loaded.device))
        log_probs = logits[mask].log_softmax(-1)
        total -= float((log_probs.exp() * log_probs).sum())
        tokens += int(mask.sum())
    model.train(was_training)
    vocabulary: int = innermost(model).config.get_text_config().vocab_size  # type: ignore[union-attr,operator]
    return total / tokens / math.log(vocabulary)
