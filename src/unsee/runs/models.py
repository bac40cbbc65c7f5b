"""The two models of a run: the one that it begins with, and the one that it has written."""

from __future__ import annotations

from pathlib import Path

from transformers import set_seed

from unsee.errors import InputError
from unsee.runs.settings import Settings
from unsee.vlm import LoadedModel, LoraOptions, load
from unsee.vlm.adapters import moving_adapters


def load_model(settings: Settings) -> LoadedModel:
    """The model that a run begins with, frozen but for the parts that may move.

    Raises:
        InputError: it cannot be loaded, or nothing in it would move.
    """
    set_seed(settings.seed)  # adapters start from random weights
    lora = LoraOptions(**settings.lora.model_dump()) if settings.lora else None
    loaded = load(
        settings.model,
        dtype=settings.dtype,
        parts=settings.parts,
        lora=lora,
        quantize=settings.quantize,
        trust_remote_code=settings.trust_remote_code,
    )
    if not any(weight.requires_grad for weight in loaded.model.parameters()):
        raise InputError(f"parts: no weight of {settings.model} is in {', '.join(settings.parts)}; choose other parts")
    if settings.l1:
        moving_adapters(loaded.model)  # now, and not after the base has been measured
    return loaded


def load_unlearned(folder: Path, settings: Settings) -> LoadedModel:
    """The model that a run has written, from its folder."""
    return load(
        folder / "model",
        dtype=settings.dtype,
        quantize=settings.quantize,
        trust_remote_code=settings.trust_remote_code,
    )
