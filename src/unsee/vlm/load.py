"""Loading a vision-language model and its processor from a folder or the hub."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from transformers import AutoModelForImageTextToText, AutoProcessor, GenerationConfig

from unsee.errors import InputError
from unsee.system import processes
from unsee.system.launch import asks_for_shards
from unsee.types import PARTS, Part
from unsee.vlm.agreement import check_agreement
from unsee.vlm.checkpoint import (
    Stored,
    check_objects,
    check_sizes,
    is_lack_of_memory,
    read_object,
    reading,
    stored_weights,
)
from unsee.vlm.configuration import bare, check_fits, configuration
from unsee.vlm.cross_attention import let_words_pass
from unsee.vlm.encoding import Encoder
from unsee.vlm.generation import end_of_turn_ids, settle
from unsee.vlm.hub import find, find_weights
from unsee.vlm.lengths import limits_of
from unsee.vlm.lora import WEIGHTS, LoraOptions, add_lora, base_of, check_stored, extend_lora, find_base, with_adapter
from unsee.vlm.parts import freeze_other_parts, part_of_parameters
from unsee.vlm.quantized import check_rounded, in_one_precision, is_finite, quantization
from unsee.vlm.unread import unread_weights

__all__ = ["DTYPES", "LoadedModel", "LoraOptions", "from_pretrained", "load", "outline"]

_PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass
class LoadedModel:
    """A model with what is needed to talk to it."""

    model: nn.Module
    processor: Any
    encoder: Encoder
    source: str
    parts: tuple[Part, ...] = field(default=PARTS)
    unread: dict[str, Path] = field(default_factory=dict)  # files of tensors that the architecture has no place for

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device


class _Source(NamedTuple):
    """Where a model comes from."""

    name: str  # as it was given
    base: str  # itself, or the base model of an adapter
    folder: Path  # of `name`, in the cache of the hub if it is an id
    base_folder: Path

    @property
    def is_adapter(self) -> bool:
        return self.folder != self.base_folder


def load(
    source: str | Path,
    *,
    dtype: str = "float32",
    parts: tuple[Part, ...] = PARTS,
    lora: LoraOptions | None = None,
    quantize: str | None = None,
    device: str | torch.device | None = None,
    trust_remote_code: bool = False,
) -> LoadedModel:
    """Load a model for unlearning or measuring.

    Args:
        source: folder or hub id of a checkpoint, or one with a PEFT adapter (its base is loaded with it).
        dtype: of the weights. What moves is kept in float32 in training, whatever this is, and rounded at its end.
        parts: where weights may move; everything else is frozen. None at all for a model that is only measured.
        lora: adapt the linear layers of `parts` instead of training the weights themselves. An adapter that the model
            comes with gets further ranks.
        quantize: "4bit" rounds the linear layers of the base. Rounded weights cannot be trained: where weights may
            move, it needs `lora` or an adapter's folder.
        device: defaults to the accelerator when there is one, and no FSDP.
        trust_remote_code: run code that comes with the checkpoint. Off unless asked for.

    Raises:
        InputError: when there is no such model, when it is not a vision-language model, when a file of it is missing,
            damaged or at odds with the others, when its weights hold NaN or infinite values, when memory is too small,
            or when it cannot be rounded or adapted as asked for.
    """
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r} is unknown: choose one of {', '.join(DTYPES)}")
    if device is None:  # a model that will be taken into pieces is never whole on an accelerator
        accelerator = None if asks_for_shards() else torch.accelerator.current_accelerator(check_available=True)
        device = accelerator or "cpu"
    checkpoint = _find(str(source))
    stated = read_object(checkpoint.base_folder / "config.json")
    rounded = check_rounded(stated, checkpoint.base, quantize)
    config = configuration(
        checkpoint.base_folder, checkpoint.base, trust_remote_code
    )  # what it is, before what it weighs
    if checkpoint.is_adapter:
        find_weights(checkpoint.name, checkpoint.folder, WEIGHTS)
        check_stored(checkpoint.folder)
    find_weights(checkpoint.base, checkpoint.base_folder, "model")
    weights = stored_weights(checkpoint.base_folder)
    check_sizes(stated, checkpoint.base_folder / "config.json", weights)
    if (rounded or quantize) and lora is None and parts and not checkpoint.is_adapter:
        how = f"quantize={quantize}" if quantize else f"{checkpoint.base} comes rounded"
        raise InputError(f"{how}: rounded weights cannot be trained; add lora, as in --lora 16")
    options: dict[str, Any] = {"dtype": DTYPES[dtype], "trust_remote_code": trust_remote_code}
    if rounded or quantize is not None:
        options["device_map"] = {"": device}
    if quantize is not None:
        options["quantization_config"] = quantization(quantize, DTYPES[dtype])
    if not rounded:
        check_fits(bare(config, checkpoint.base, trust_remote_code), weights, checkpoint.base)
    with _enough_memory(checkpoint.base, dtype, device):
        base, unread = _base(checkpoint, weights, **options)
        model = _adapted(base, checkpoint, parts, lora)
        freeze_other_parts(model, parts)
        if "device_map" not in options:
            model.to(device)
    processor = _processor(checkpoint, trust_remote_code)
    encoder = _encoder(model, processor, checkpoint.name)
    for notice in encoder.notices:
        _tell(notice)
    return LoadedModel(model, processor, encoder, checkpoint.name, parts, unread)


def _adapted(model: nn.Module, checkpoint: _Source, parts: tuple[Part, ...], lora: LoraOptions | None) -> nn.Module:
    """The base under the adapter that it comes with, under a fresh one, under both as one, or as it is."""
    if checkpoint.is_adapter:
        model = with_adapter(model, checkpoint.folder, checkpoint.name, trains=bool(parts))
    if lora is None or not parts:
        return model
    return extend_lora(model, parts, lora, checkpoint.name) if checkpoint.is_adapter else add_lora(model, parts, lora)


def outline(source: str | Path, *, trust_remote_code: bool = False) -> LoadedModel:
    """A model without its weights: the structure on the meta device, with its processor. It takes no memory.

    Args:
        source: as for `load`; an adapter's folder gives the outline of its base.
        trust_remote_code: run code that comes with the checkpoint.

    Raises:
        InputError: as for `load`, but for what the weights alone can tell.
    """
    checkpoint = _find(str(source))
    config = configuration(checkpoint.base_folder, checkpoint.base, trust_remote_code)
    model = bare(config, checkpoint.base, trust_remote_code)
    part_of_parameters(model)
    processor = _processor(checkpoint, trust_remote_code)
    path = checkpoint.base_folder / "generation_config.json"
    if os.path.isfile(path):  # a checkpoint need not have one
        with reading(str(path)):
            model.generation_config = GenerationConfig.from_pretrained(checkpoint.base_folder)
    return LoadedModel(model, processor, _encoder(model, processor, checkpoint.name), checkpoint.name)


def from_pretrained(factory: Any, source: str, what: str, **options: Any) -> Any:
    """`factory.from_pretrained` for a folder or a hub id; failures to find or read something become one line.

    Args:
        factory: a class of transformers.
        source: folder or hub id.
        what: is loaded, for the message.
        options: of `from_pretrained`.

    Raises:
        InputError: there is no such checkpoint, its weights are damaged, or it is of another kind.
    """
    folder = find(source)
    if not os.path.isfile(folder / "config.json"):
        raise InputError(f"{source}: has no config.json; give a folder that save_pretrained wrote")
    check_objects(folder)
    if options.get("use_safetensors"):
        find_weights(source, folder, "model")
        stored_weights(folder)
    with reading(f"{source}: cannot load its {what}"):
        # Left open, a terminal would be asked whether to run code that comes with the checkpoint.
        return factory.from_pretrained(folder, **{"trust_remote_code": False, **options})


def _find(source: str) -> _Source:
    """Find a model's files, and those of its base if it is an adapter; each configuration is one JSON object."""
    folder = find(source)
    check_objects(folder)
    base = base_of(folder)
    if base is None:
        base, base_folder = source, folder
    else:
        base_folder = find_base(base, folder)
        check_objects(base_folder)
    if not os.path.isfile(base_folder / "config.json"):
        raise InputError(f"{base}: has no config.json; give a folder that save_pretrained wrote")
    return _Source(source, base, folder, base_folder)


def _base(checkpoint: _Source, weights: dict[str, Stored], **options: Any) -> tuple[Any, dict[str, Path]]:
    """The base model with its weights, all of them there and finite; and the tensors that it has no place for."""
    factory: Any = AutoModelForImageTextToText
    options |= {"use_safetensors": True, "output_loading_info": True}
    with reading(f"{checkpoint.base}: cannot load its weights"), _of_the_sizes_stated(checkpoint.base):
        model, info = factory.from_pretrained(checkpoint.base_folder, **options)
    model.name_or_path = model.config._name_or_path = _place(checkpoint.base)
    in_one_precision(model)
    let_words_pass(model)
    _check_weights(model, checkpoint.base, sorted(info["missing_keys"]))
    settle(model.generation_config, f"{checkpoint.base}: its generation_config.json")
    part_of_parameters(model)  # refuses a model without an image encoder, before anything is done with it
    return model, unread_weights(model, checkpoint.base_folder, weights, info["unexpected_keys"])


def _place(base: str) -> str:
    """What an adapter says of its base: a hub id, or a folder by its whole path, wherever the adapter is read from."""
    return os.path.abspath(base) if os.path.isdir(base) else base


@contextmanager
def _of_the_sizes_stated(source: str) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if "ignore_mismatched_sizes" not in str(error):
            raise
        raise InputError(
            f"{source}: its weights have other sizes than config.json says; take both from the same checkpoint"
        ) from error


@contextmanager
def _enough_memory(source: str, dtype: str, device: Any) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_lack_of_memory(error):
            raise
        raise InputError(
            f"{source}: {torch.device(device).type} has too little memory for its weights in {dtype}; choose a smaller "
            "dtype (bfloat16), or round them (quantize=4bit)"
        ) from error


def _has_processor(folder: Path) -> bool:
    return any(os.path.isfile(folder / name) for name in _PROCESSOR_FILES)


def _processor(checkpoint: _Source, trust_remote_code: bool) -> Any:
    """The processor saved beside an adapter, else the base model's."""
    beside = _has_processor(checkpoint.folder)
    origin, name = (checkpoint.folder, checkpoint.name) if beside else (checkpoint.base_folder, checkpoint.base)
    if not _has_processor(origin):
        raise InputError(f"{name}: has no processor; add {' or '.join(_PROCESSOR_FILES)} of the model it stems from")
    with reading(f"{name}: cannot load its processor (or its tokenizer or image processor)"):
        return AutoProcessor.from_pretrained(origin, trust_remote_code=trust_remote_code)


def _check_weights(model: nn.Module, source: str, missing: list[str]) -> None:
    if missing:  # transformers fills them with random numbers and goes on
        more = f" and {len(missing) - 1} more tensors" if len(missing) > 1 else ""
        raise InputError(
            f"{source}: its files hold no weight {missing[0]}{more}; the checkpoint is not complete, fetch it again"
        )
    broken = [name for name, weight in model.named_parameters() if not is_finite(weight)]
    if broken:
        more = f" and {len(broken) - 1} more tensors" if len(broken) > 1 else ""
        raise InputError(
            f"{source}: weight {broken[0]}{more} holds NaN or infinite values; the checkpoint is broken, fetch it again"
        )


@cache
def _tell(notice: str) -> None:
    """Say on stderr, once however often a model is loaded, what was put right in its files."""
    if processes.is_main():
        print(f"unsee: {notice}", file=sys.stderr)


def _encoder(model: nn.Module, processor: Any, source: str) -> Encoder:
    try:
        encoder = Encoder(processor, end_of_turn_ids(model), limits=limits_of(model))
        check_agreement(model, encoder)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    return encoder
