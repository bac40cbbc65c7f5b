"""Whether a processor belongs to its model: the image tokens that it writes are those that the model fills in.

A processor of another size of patches, or one that names another image token, is found by showing the model one small
grey picture when it is loaded, and not by a traceback an hour later.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from unsee.errors import InputError
from unsee.vlm.checkpoint import brief, is_lack_of_memory
from unsee.vlm.encoding import Encoder
from unsee.vlm.lengths import blank
from unsee.vlm.policy import innermost

_SHOWN = (64, 48)  # pixels of the picture that is tried
_BELONGS = "use the processor that belongs to the model"
# What image processors and vision towers of the Qwen-VL families both say.
_SIZES = {
    "patch_size": "patch_size",
    "temporal_patch_size": "temporal_patch_size",
    "merge_size": "spatial_merge_size",
}
# Families that put features where image tokens are have one of these; others (cross-attention) count otherwise.
_FILLS_IN = ("get_placeholder_mask", "inputs_merger")


@torch.no_grad()
def check_agreement(model: nn.Module, encoder: Encoder) -> None:
    """See that a model reads the pictures that its processor makes.

    Args:
        model: a transformers or PEFT model; on the meta device, where not everything can be computed, what can be told.
        encoder: made from its processor.

    Raises:
        InputError: when the processor cannot read a picture, when the model cannot read what it makes of one, or when
            both count image tokens otherwise.
    """
    inputs = encoder.shown(blank(*_SHOWN))
    token = getattr(innermost(model).config, "image_token_id", None)
    if inputs is None or token is None or not _fills_in(model):
        return
    written = int((inputs["input_ids"] == token).sum())
    if not written:
        raise InputError(
            f"the processor writes no token {token} for a picture, which is the image token of the model's config.json "
            f"({encoder.tokenizer.decode([token])!r}); {_BELONGS}"
        )
    _check_sizes(encoder.processor, innermost(model).config)
    made = _features(innermost(model), inputs)
    if made is not None and made != written:
        raise InputError(
            f"the processor writes {written} image tokens for a picture of {_SHOWN[0]} x {_SHOWN[1]} pixels and the "
            f"model makes {made} vectors of it: patch_size, merge_size or the like differ; {_BELONGS}"
        )


def _check_sizes(processor: Any, config: Any) -> None:
    """InputError for patches that are cut and merged otherwise, where both sides say how."""
    pictures, tower = getattr(processor, "image_processor", None), getattr(config, "vision_config", None)
    for ours, theirs in _SIZES.items():
        cut, read = getattr(pictures, ours, None), getattr(tower, theirs, None)
        if isinstance(cut, int) and isinstance(read, int) and cut != read:
            raise InputError(f"{ours} is {cut} in the processor, and {theirs} is {read} in the model; {_BELONGS}")


def _fills_in(model: nn.Module) -> bool:
    return any(hasattr(module, name) for module in model.modules() for name in _FILLS_IN)


def _features(model: Any, inputs: dict[str, Tensor]) -> int | None:
    """How many vectors a model makes of a picture; None where it cannot be asked."""
    look = getattr(model, "get_image_features", None)
    if look is None:
        return None
    signature = inspect.signature(look)
    given = {name: _like(model, value) for name, value in inputs.items() if name in signature.parameters}
    was_training = model.training
    model.eval()
    try:
        signature.bind(**given)
        features = look(**given)
    except (LookupError, RuntimeError, TypeError, ValueError) as error:
        if model.device.type == "meta" or is_lack_of_memory(error) or "missing a required argument" in str(error):
            return None
        raise InputError(
            f"the model cannot read the picture that its processor makes ({brief(error)}); {_BELONGS}"
        ) from error
    finally:
        model.train(was_training)
    vectors = getattr(features, "pooler_output", features)
    parts = list(vectors) if isinstance(vectors, (list, tuple)) else [vectors]
    return sum(int(part.numel() // part.shape[-1]) for part in parts)


def _like(model: Any, value: Tensor) -> Tensor:
    """A tensor where the model is, in its precision; sizes stay where they can be read."""
    if model.device.type == "meta":
        return value.to("meta") if value.is_floating_point() else value
    return value.to(model.device, model.dtype) if value.is_floating_point() else value.to(model.device)
