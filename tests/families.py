"""The model families that every promise is tested with: a new one joins through `tests.tiny.FAMILIES`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import Tensor, nn

from tests.tiny import FAMILIES
from unsee.vlm import LoadedModel

Build = Callable[..., LoadedModel]

each_family = pytest.mark.parametrize("build", list(FAMILIES.values()), ids=list(FAMILIES))


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """A copy of every parameter, by name."""
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}
