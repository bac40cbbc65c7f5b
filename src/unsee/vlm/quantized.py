"""Base weights in four bits, under adapters that are trained as ever.

QLoRA: Dettmers et al. 2023, arXiv 2305.14314.
"""

from __future__ import annotations

from importlib.util import find_spec
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BitsAndBytesConfig

from unsee.errors import InputError

QUANTIZATIONS = ("4bit",)
_ROUNDED = ("quantization_config", "compression_config")


def quantization(kind: str, dtype: torch.dtype) -> BitsAndBytesConfig:
    """How the linear layers of a base are rounded; the output head, embeddings and norms stay as they are.

    Args:
        kind: "4bit": NF4, with the scales of its blocks rounded as well.
        dtype: what is computed in.

    Raises:
        InputError: for an unknown kind, or when the package that does it is not installed.
    """
    if kind not in QUANTIZATIONS:
        raise InputError(f"quantize {kind!r} is unknown: choose {', '.join(QUANTIZATIONS)}")
    _check_installed()
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )


def in_one_precision(model: nn.Module) -> None:
    """Keep rounded layers from a way of their own to compute where nothing is trained.

    On processors with AVX512-BF16, bitsandbytes packs a layer anew and computes in bfloat16 in evaluation mode alone:
    training and measuring would see two different models, and layers narrower than a block of scales fail.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            setattr(module, "support_avx512bf16_for_cpu", False)  # noqa: B010 (modules take tensors alone, says mypy)


def size(weight: nn.Parameter) -> int:
    """How many numbers a parameter stands for; in four bits, two of them share a byte."""
    state = getattr(weight, "quant_state", None)
    return weight.numel() if state is None else prod(state.shape)


def is_finite(weight: nn.Parameter) -> bool:
    """Whether all numbers are; rounded ones show it in the scales of their blocks or rows, and those in their own."""
    state: Any = getattr(weight, "quant_state", None)
    if state is not None:
        numbers: list[Tensor] = [state.offset, state.state2.absmax] if state.nested else [state.absmax]
    else:
        scales = getattr(weight, "SCB", None)  # of eight bits
        numbers = [weight] if scales is None else [scales]
    return all(bool(torch.isfinite(number).all()) for number in numbers)


def check_rounded(config: dict[str, Any], source: str, quantize: str | None) -> bool:
    """Whether a checkpoint comes rounded, by the content of its config.json.

    Raises:
        InputError: it is rounded in another way than by bitsandbytes, without bitsandbytes being installed, or it is
            to be rounded again.
    """
    parts = (config, config.get("text_config"))
    how = next((part[key] for part in parts if isinstance(part, dict) for key in _ROUNDED if part.get(key)), None)
    if how is None:
        return False
    if not isinstance(how, dict):
        raise InputError(f"{source}: quantization_config in config.json is no JSON object; take the model's own file")
    kind = how.get("quant_method") or "bitsandbytes" * any(how.get(key) for key in ("load_in_4bit", "load_in_8bit"))
    if kind != "bitsandbytes":
        raise InputError(
            f"{source}: its weights are rounded ({kind or 'in an unknown way'}), which cannot be used here; give the "
            "checkpoint that it was made from (quantize=4bit rounds it as it is loaded)"
        )
    if quantize is not None:
        raise InputError(f"{source}: its weights are rounded already; leave quantize={quantize} out")
    _check_installed()
    return True


def _check_installed() -> None:
    if find_spec("bitsandbytes") is None:
        raise InputError("quantize needs the package bitsandbytes; install it with pip install 'unsee[quantized]'")
