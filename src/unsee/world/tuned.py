"""Default training settings of every method in the embedded world.

Chosen on worlds of other seeds (100 and 101) than those that figures are reported for; `docs/tuning.md` has what was
tried, and where each method breaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from unsee.types import PARTS, Part


@dataclass(frozen=True)
class Settings:
    """How one method is trained."""

    learning_rate: float
    parts: tuple[Part, ...] = PARTS  # where weights may move
    max_steps: int = 80  # optimizer steps
    batch_size: int = 16  # forget rows, and as many retain rows, a step
    hyper_parameters: Mapping[str, float] = field(default_factory=dict)  # of the method, where not its defaults
    saliency_batch_size: int = 16  # rows a squared gradient, for methods with a mask


_READING: tuple[Part, ...] = ("projector", "language")  # the image encoder stays as it is

TUNED: Mapping[str, Settings] = {
    "retain_finetune": Settings(1e-4, max_steps=30),
    "grad_ascent": Settings(1e-4, max_steps=20),
    "grad_diff": Settings(1e-4, _READING, max_steps=60, hyper_parameters={"ceiling": 1.0}),
    "kl": Settings(1e-4, max_steps=30, hyper_parameters={"forget_weight": 0.1}),
    "npo": Settings(1e-4, ("language",), max_steps=40, hyper_parameters={"beta": 3.0}),
    "mmunlearner": Settings(1e-4, _READING, max_steps=60, hyper_parameters={"ceiling": 1.0, "gamma": 0.5}),
    "gated_npo": Settings(1e-4, max_steps=45, hyper_parameters={"beta": 3.0}),
}
