"""The model families that promises are tested with.

What touches a model directly (`tests/vlm`) is tested with all of them; what only passes through (the trainer, the
command line) with the two most unlike, LLaVA-1.5 and Qwen2.5-VL. A new family joins through one function that builds it
and one line in `ALL_FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor, nn

from tests import architectures
from tests.tiny import FAMILIES
from unsee.vlm import LoadedModel

Build = Callable[..., LoadedModel]

ALL_FAMILIES: dict[str, Build] = FAMILIES | {
    "llava_next": architectures.llava_next,
    "qwen2_vl": architectures.qwen2_vl,
    "qwen3_vl": architectures.qwen3_vl,
    "idefics3": architectures.idefics3,
    "smolvlm": architectures.smolvlm,
    "internvl": architectures.internvl,
    "gemma3": architectures.gemma3,
}
# Templates that write a space between the prompt and the answer, which the model has to say.
SPACE_FIRST = ("llava", "llava_next", "idefics3", "smolvlm")

each_family = pytest.mark.parametrize("build", list(FAMILIES.values()), ids=list(FAMILIES))
every_family = pytest.mark.parametrize("build", list(ALL_FAMILIES.values()), ids=list(ALL_FAMILIES))


def family_of(build: Build) -> str:
    """The name of a family, from the function that builds it."""
    return next(name for name, known in ALL_FAMILIES.items() if known is build)


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """A copy of every parameter, by name."""
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}
