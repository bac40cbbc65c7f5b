"""In which precision a training computes, and in which one it keeps the weights that move.

A step of AdamW moves a weight by about the learning rate, which in half precision is mostly less than the distance to
the next number: what moves is kept in float32, whatever the checkpoint is in. Sums over many tokens overflow and vanish
in float16, which has few exponents: its weights are computed with in bfloat16.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn

from unsee.vlm.sharded import is_sharded, local

HALF = (torch.float16, torch.bfloat16)
_NAMES = {"fp16": torch.float16, "bf16": torch.bfloat16}


class Masters:
    """The half-precision weights of a model that may move, in float32 while they are trained.

    Under autocast all others but the matrices of linear layers go with them: norms, embeddings, convolutions and single
    vectors meet each other outside its reach, where kernels want one dtype.

    Args:
        model: as it was loaded.
        precision: what forward passes compute in, as `training_precision` gives it.
    """

    def __init__(self, model: nn.Module, precision: torch.dtype | None) -> None:
        matrices = {id(module.weight) for module in model.modules() if isinstance(module, nn.Linear)}
        self.model = model
        self.dtypes = {
            name: weight.dtype
            for name, weight in model.named_parameters()
            if weight.dtype in HALF and (weight.requires_grad or (precision is not None and id(weight) not in matrices))
        }

    def widen(self) -> None:
        """Keep them in float32 from now on."""
        for name in self.dtypes:
            weight = self.model.get_parameter(name)
            if weight.dtype != torch.float32:
                weight.data = weight.data.float()

    @torch.no_grad()
    def narrow(self) -> None:
        """Round them to what they were loaded in. Pieces are rounded where they are, in float32 as they stay."""
        for name, dtype in self.dtypes.items():
            weight = self.model.get_parameter(name)
            if is_sharded(self.model):
                rows = local(weight)
                rows.copy_(rows.to(dtype))
            else:
                weight.data = weight.data.to(dtype)


def training_precision(model: nn.Module, asked_for: str) -> torch.dtype | None:
    """What forward passes compute in; None for that of the weights.

    Args:
        model: as it was loaded.
        asked_for: no, bf16 or fp16, as `TrainingArguments.mixed_precision` has it.

    Returns:
        What was asked for; bfloat16 where nothing was, and weights in half precision move or any are in float16.
    """
    if asked_for in _NAMES:
        return _NAMES[asked_for]
    half = any(weight.dtype in HALF for weight in model.parameters() if weight.requires_grad)
    return torch.bfloat16 if half or any(weight.dtype == torch.float16 for weight in model.parameters()) else None


def autocast(device: torch.device, precision: torch.dtype | None) -> Callable[[], AbstractContextManager[Any]]:
    """What a forward pass runs under. Of no accelerator, whose precision is that of the last trainer in the process."""
    return nullcontext if precision is None else partial(torch.autocast, device.type, precision)
