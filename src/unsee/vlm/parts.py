"""Vision, projector, language: where in a vision-language model a method may write.

A part is found through the modules that transformers itself names (`get_encoder("image")`, `get_decoder()`), never
through substrings of parameter names, which have moved between versions more than once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import nn

from unsee.errors import InputError
from unsee.types import PARTS, Part
from unsee.vlm.policy import innermost
from unsee.vlm.quantized import size

# Families whose projector lives inside the vision encoder, under these names (Qwen2-VL to Qwen3-VL).
_PROJECTORS_IN_ENCODER = ("merger", "deepstack_merger_list")


def part_of_parameters(model: nn.Module) -> dict[str, Part]:
    """Name of every parameter, as `model.named_parameters()` gives it, and the part that it belongs to.

    What is neither in the image encoder nor in the decoder nor in the embeddings stands between the two and counts as
    projector (LLaVA-NeXT's `image_newline`, say). Adapter weights belong to the part whose layer they adapt.

    Raises:
        InputError: when the model has no image encoder.
    """
    base = innermost(model)
    encoder, decoder = base.get_encoder("image"), base.get_decoder()  # type: ignore[operator]
    if encoder is base or decoder is base or encoder is decoder:
        raise InputError(f"{type(base).__name__} has no image encoder: give a vision-language model")
    inner = [getattr(encoder, name) for name in _PROJECTORS_IN_ENCODER if hasattr(encoder, name)]
    projector = _ids(inner)
    vision = _ids([encoder]) - projector
    embeddings = [base.get_input_embeddings(), base.get_output_embeddings()]  # type: ignore[operator]
    language = _ids([decoder, *(module for module in embeddings if module is not None)])
    parts: dict[str, Part] = {}
    for name, parameter in model.named_parameters():
        key = id(parameter)
        parts[name] = "vision" if key in vision else "language" if key in language else "projector"
    return parts


def _ids(modules: Iterable[nn.Module]) -> set[int]:
    return {id(parameter) for module in modules for parameter in module.parameters()}


def freeze_other_parts(model: nn.Module, parts: Sequence[Part]) -> None:
    """Let gradients reach the given parts alone; adapters keep their frozen base weights."""
    for (_, parameter), part in zip(model.named_parameters(), part_of_parameters(model).values(), strict=True):
        parameter.requires_grad_(parameter.requires_grad and part in parts)


def trainable_per_part(model: nn.Module) -> dict[Part, tuple[int, int]]:
    """Per part: how many parameters may move, of how many."""
    counts = dict.fromkeys(PARTS, (0, 0))
    for (_, parameter), part in zip(model.named_parameters(), part_of_parameters(model).values(), strict=True):
        moving, total = counts[part]
        counts[part] = (moving + size(parameter) * parameter.requires_grad, total + size(parameter))
    return counts


def linear_names(model: nn.Module, parts: Sequence[Part]) -> list[str]:
    """Full names of the linear layers of some parts, the output head excepted: what LoRA adapts.

    The one thing that it adapts beside them is in `bare_matrices`.
    """
    part_of = part_of_parameters(model)
    head = innermost(model).get_output_embeddings()  # type: ignore[operator]
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module is not head and part_of.get(f"{name}.weight") in parts
    ]


def bare_matrices(model: nn.Module, parts: Sequence[Part]) -> list[str]:
    """Full names of the matrices that stand where linear layers would, in those of some parts that have none.

    Gemma 3's projector is such a part: it multiplies by a parameter of its own.
    """
    part_of = part_of_parameters(model)
    bare = [part for part in parts if not linear_names(model, (part,))]
    owned = _ids(module for module in model.modules() if isinstance(module, (nn.Linear, nn.Embedding)))
    return [
        name
        for name, weight in model.named_parameters()
        if part_of[name] in bare and weight.dim() == 2 and id(weight) not in owned
    ]
