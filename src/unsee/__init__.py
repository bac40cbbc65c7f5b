"""Machine unlearning for vision-language models.

The names below are what most programs need; they are imported when they are first used, because PyTorch takes seconds
to load.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unsee.data import Benchmark as Benchmark
    from unsee.data import Example as Example
    from unsee.data import Probe as Probe
    from unsee.data import load_examples as load_examples
    from unsee.errors import InputError as InputError
    from unsee.evaluation.measure import measure as measure
    from unsee.evaluation.scores import score as score
    from unsee.methods import build as build
    from unsee.training.config import UnlearnConfig as UnlearnConfig
    from unsee.training.trainer import UnlearnTrainer as UnlearnTrainer
    from unsee.vlm import LoraOptions as LoraOptions
    from unsee.vlm.load import load as load

__version__ = "0.1.0"

_HOME = {
    "Benchmark": "unsee.data",
    "Example": "unsee.data",
    "Probe": "unsee.data",
    "load_examples": "unsee.data",
    "InputError": "unsee.errors",
    "measure": "unsee.evaluation.measure",
    "score": "unsee.evaluation.scores",
    "build": "unsee.methods",
    "UnlearnConfig": "unsee.training.config",
    "UnlearnTrainer": "unsee.training.trainer",
    "LoraOptions": "unsee.vlm",
    "load": "unsee.vlm",
}

__all__ = [*_HOME, "__version__"]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'unsee' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
