"""The configuration of a vision-language model, and the structure that it describes, before any weight is read."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import CONFIG_MAPPING, MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING, AutoConfig, AutoModelForImageTextToText

from unsee.errors import InputError
from unsee.vlm.checkpoint import Stored, check_sizes, read_object, reading


def configuration(folder: Path, source: str, trust_remote_code: bool) -> Any:
    """The configuration of a vision-language model.

    Args:
        folder: of the checkpoint.
        source: what messages call it.
        trust_remote_code: run code that comes with it.

    Raises:
        InputError: it cannot be read, is of another kind of model, or states sizes that are not possible.
    """
    path = folder / "config.json"
    stated = read_object(path)
    check_sizes(stated, path)
    if "vision_config" in stated and stated["vision_config"] is None:
        raise InputError(f"{path}: vision_config is null; take the model's own file")
    if isinstance(stated.get("auto_map"), dict) and not trust_remote_code:
        _check_known(str(stated.get("model_type")), source)
    with reading(f"{source}: cannot load its config.json"):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    if getattr(config, "vision_config", None) is None:
        raise InputError(
            f"{source}: {config.model_type!r} is a text-only model (its config has no vision_config); "
            "give a vision-language model such as LLaVA or Qwen2.5-VL"
        )
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING and not getattr(config, "auto_map", None):
        raise InputError(
            f"{source}: {config.model_type!r} does not generate text; "
            "give a vision-language model such as LLaVA or Qwen2.5-VL"
        )
    return config


def _check_known(kind: str, source: str) -> None:
    """A model that comes with its own code, of a kind that transformers does not know, needs leave to run it."""
    if kind not in CONFIG_MAPPING:
        raise InputError(
            f"{source}: {kind!r} comes with code of its own (auto_map), which runs with --trust-remote-code alone "
            "(trust_remote_code: true in settings); read that code first"
        )


def bare(config: Any, source: str, trust_remote_code: bool) -> Any:
    """The structure of a model, which takes no memory."""
    with reading(f"{source}: config.json describes no model that can be built"), torch.device("meta"):
        return AutoModelForImageTextToText.from_config(config, trust_remote_code=trust_remote_code)


def check_fits(model: nn.Module, weights: dict[str, Stored], source: str) -> None:
    """InputError for a configuration of another, larger model: its memory would be taken before names are compared."""
    wanted = sum(weight.numel() for weight in model.parameters())
    held = sum(prod(tensor.shape) for tensor in weights.values())
    if wanted > 2 * held:  # tied weights are stored once
        raise InputError(
            f"{source}: config.json describes a model of {wanted:,} numbers, and the files hold no more than {held:,}; "
            "take both from the same checkpoint"
        )
