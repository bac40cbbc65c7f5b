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
    if find_spec("bitsandbytes") is None:
        raise InputError("quantize needs the package bitsandbytes; install it with pip install 'unsee[quantized]'")
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
    """Whether all numbers are; rounded ones show it in the scales of their blocks, and those in their own."""
    state: Any = getattr(weight, "quant_state", None)
    numbers: list[Tensor] = [weight] if state is None else [state.offset, state.state2.absmax]
    return all(bool(torch.isfinite(number).all()) for number in numbers)
