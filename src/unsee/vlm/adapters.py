"""Low-rank adapters as pairs of factors: what they add to a layer is their product, scaled."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import nn

from unsee.errors import InputError

Pair = tuple[nn.Parameter, nn.Parameter]


class LowRank(NamedTuple):
    """What an adapter adds to one layer: scaling * second @ first."""

    first: nn.Parameter
    second: nn.Parameter
    scaling: float


def moving_adapters(model: nn.Module) -> list[LowRank]:
    """The adapters of a model that may move, for a norm over their weights.

    Raises:
        InputError: when there is none, or one is no plain LoRA.
    """
    adapters = [
        update for update in low_rank_updates(model) or [] if update.first.requires_grad or update.second.requires_grad
    ]
    if not adapters:
        raise InputError("l1: the model has no plain LoRA adapter that may move; add lora, as in --lora 16")
    return adapters


def low_rank_pairs(model: nn.Module) -> list[Pair] | None:
    """The two factors of every adapter that is at work in a model; none or None as `low_rank_updates` has it."""
    updates = low_rank_updates(model)
    return None if updates is None else [(update.first, update.second) for update in updates]


def low_rank_updates(model: nn.Module) -> list[LowRank] | None:
    """The two factors of every adapter that is at work in a model, and how their product is scaled.

    Returns:
        One a layer, none for a model without adapters. None when adapters do anything else than add a product
        of two factors to layers that stay as they are: DoRA, IA3, prompts, AdaLoRA, copies of whole modules, adapters
        merged into their layers.
    """
    if not hasattr(model, "disable_adapter"):
        return []
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils.other import AuxiliaryTrainingWrapper

    updates: list[LowRank] = []
    for module in model.modules():
        if isinstance(module, AuxiliaryTrainingWrapper):
            return None
        if isinstance(module, BaseTunerLayer):
            adapters = updates_of(module)
            if adapters is None:
                return None
            updates += adapters
    return updates or None


def updates_of(layer: Any) -> list[LowRank] | None:
    """What is added to one adapted layer, or None when that is not plain LoRA."""
    from peft.tuners.adalora import AdaLoraLayer
    from peft.tuners.lora import LoraLayer

    if not isinstance(layer, LoraLayer) or isinstance(layer, AdaLoraLayer) or layer.merged:
        return None
    updates: list[LowRank] = []
    for name in layer.active_adapters:
        if name in layer.lora_variant or layer.lora_bias.get(name):
            return None
        if name in layer.lora_A:
            first, second = layer.lora_A[name], layer.lora_B[name]
            updates.append(LowRank(first.weight, second.weight, layer.scaling[name]))  # type: ignore[arg-type]
        elif name in layer.lora_embedding_A:
            factors = layer.lora_embedding_A[name], layer.lora_embedding_B[name]
            updates.append(LowRank(*factors, layer.scaling[name]))
    return updates
