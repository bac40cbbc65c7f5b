"""The two models of a run: the one that it begins with, and the one that it has written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from transformers import set_seed

from unsee.errors import InputError
from unsee.runs.settings import Settings
from unsee.system.launch import asks_for_shards
from unsee.vlm import LoadedModel, LoraOptions, load
from unsee.vlm.adapters import moving_adapters
from unsee.vlm.sharded import check_shardable

if TYPE_CHECKING:
    from unsee.runs.supervised.settings import TrainSettings


def check_pieces(settings: Settings) -> None:
    """See that a run trains whole weights, where it was started with weights in pieces (FSDP).

    Raises:
        InputError: it does not.
    """
    asked = "lora" if settings.lora else "quantize" if settings.quantize else None
    if asked and asks_for_shards():
        raise InputError(
            f"{asked} under FSDP is not supported: weights in pieces are trained whole; leave {asked} out, or start "
            "plain processes (accelerate launch --multi_gpu)"
        )


def load_model(settings: Settings) -> LoadedModel:
    """The model that a run begins with, frozen but for the parts that may move.

    Raises:
        InputError: it cannot be loaded, or nothing in it would move.
    """
    loaded = load_to_train(settings, settings.quantize)
    if asks_for_shards():
        check_shardable(loaded.model, settings.model)
    if settings.l1:
        moving_adapters(loaded.model)  # now, and not after the base has been measured
    return loaded


def load_to_train(settings: Settings | TrainSettings, quantize: Literal["4bit"] | None = None) -> LoadedModel:
    """A model, frozen but for the parts that may move, with fresh adapters if it gets any.

    Args:
        settings: of a run, or of a supervised training.
        quantize: the frozen weights, where they are to be rounded.

    Raises:
        InputError: it cannot be loaded, or nothing in it would move.
    """
    set_seed(settings.seed)  # adapters start from random weights
    loaded = load(
        settings.model,
        dtype=settings.dtype,
        parts=settings.parts,
        lora=LoraOptions(**settings.lora.model_dump()) if settings.lora else None,
        quantize=quantize,
        trust_remote_code=settings.trust_remote_code,
    )
    if not any(weight.requires_grad for weight in loaded.model.parameters()):
        raise InputError(f"parts: no weight of {settings.model} is in {', '.join(settings.parts)}; choose other parts")
    return loaded


def load_unlearned(folder: Path, settings: Settings) -> LoadedModel:
    """The model that a run has written, from its folder."""
    return load(
        folder / "model",
        dtype=settings.dtype,
        quantize=settings.quantize,
        trust_remote_code=settings.trust_remote_code,
    )
