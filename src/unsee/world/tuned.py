"""Default training settings of every method in the embedded world.

Found with `benchmarks/tune_world.py` on seeds 100, 101 and 102 alone, under the same number of configurations and the
same selection rule for each method; `docs/tuning.md` has the figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from unsee.parts import PARTS, Part


@dataclass(frozen=True)
class Settings:
    """How one method is trained."""

    learning_rate: float
    parts: tuple[Part, ...] = PARTS  # where weights may move
    max_steps: int = 80  # optimizer steps
    batch_size: int = 16  # forget rows, and as many retain rows, a step
    hyper_parameters: Mapping[str, float] = field(default_factory=dict)  # of the method, where not its defaults
    saliency_batch_size: int = 50  # rows a squared gradient, for methods with a mask


_READS: tuple[Part, ...] = ("projector", "language")

TUNED: Mapping[str, Settings] = {
    "retain_finetune": Settings(1e-4, _READS, 60),
    "grad_ascent": Settings(1e-4, _READS, 20),
    "grad_diff": Settings(1e-4, _READS, 30, hyper_parameters={"forget_weight": 0.1}),
    "kl": Settings(1e-4, _READS, 30, hyper_parameters={"forget_weight": 0.1}),
    "npo": Settings(1e-4, ("language",), 40, hyper_parameters={"beta": 3.0}),
    "mmunlearner": Settings(1e-4, _READS, 60, hyper_parameters={"gamma": 3.0}),
}
