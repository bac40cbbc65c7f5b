"""The files of a checkpoint, looked at before any library builds something from them.

A configuration is a JSON object, a file of weights says in its header what it holds, and the sizes in the one fit the
other. Whatever is wrong beyond that, transformers and its kin find while they read, each in its own words and with its
own kind of exception: `reading` makes one line of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open

from unsee.errors import InputError
from unsee.system.files import read_json

_OBJECTS = (
    "config.json", "generation_config.json", "processor_config.json", "preprocessor_config.json",
    "video_preprocessor_config.json", "tokenizer_config.json", "tokenizer.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "chat_template.json", "adapter_config.json",
)  # fmt: skip
_LAYERS = ("num_hidden_layers", "num_layers", "n_layers", "depth", "num_global_layers")
_SIZES = (
    "hidden_size", "intermediate_size", "embed_dim", "out_hidden_size", "vocab_size", "num_attention_heads",
    "num_key_value_heads", "num_heads", "head_dim", "image_size", "patch_size", "spatial_merge_size",
)  # fmt: skip
MOST_LAYERS = 10_000  # of a model whose weights are not there to be counted
# What libraries raise over files that they cannot make sense of.
_UNREADABLE = (
    OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError, ImportError,
    RuntimeError, SafetensorError, StrictDataclassError,
)  # fmt: skip


class Stored(NamedTuple):
    """A tensor as the header of its file describes it."""

    dtype: str  # in the words of safetensors: F32, BF16, I8, ...
    shape: tuple[int, ...]


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Within: a library reads files of a model; what it raises over them becomes one line.

    Args:
        what: begins the line: which file or folder, and what was to become of it.

    Raises:
        InputError: instead of the library's exception, whose cause it becomes. A lack of memory stays what it is.
    """
    try:
        yield
    except InputError:
        raise
    except _UNREADABLE as error:
        if is_lack_of_memory(error):
            raise
        raise InputError(f"{what}: {brief(error)}") from error
    except Exception as error:
        if type(error) is not Exception:  # tokenizers raises that itself, over a tokenizer.json of another shape
            raise
        raise InputError(f"{what}: {brief(error)}") from error


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether memory has run out, on an accelerator or on the processor's side."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "DefaultCPUAllocator" in str(error)


def brief(error: BaseException) -> str:
    """The beginning of what an exception says, on one line; its kind where that says more than its text."""
    text = " ".join(str(error).split())
    if isinstance(error, (LookupError, AttributeError, ArithmeticError, AssertionError)) or not text:
        text = f"{type(error).__name__} {text}".strip()
    return text if len(text) <= 160 else f"{text[:157]}..."


def check_objects(folder: Path) -> None:
    """InputError for a configuration, tokenizer or list of tokens that is not one JSON object."""
    for name in _OBJECTS:
        if os.path.isfile(folder / name):
            read_object(folder / name)


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object that a file of a checkpoint holds.

    Raises:
        InputError: it cannot be read, or holds something else.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: holds {type(content).__name__} where a JSON object is expected; fetch the file again"
        )
    return content


def weight_files(folder: Path, stem: str = "model") -> list[Path]:
    """The files of weights that a folder should hold, in the order of their names: one, or those of its index.

    Args:
        folder: of a checkpoint.
        stem: "model", or "adapter_model" for those of an adapter.

    Raises:
        InputError: the index does not say which file holds which weight.
    """
    return sorted(set(_places(folder, stem).values())) or [folder / f"{stem}.safetensors"]


def _places(folder: Path, stem: str) -> dict[str, Path]:
    """The file of every weight, from the index; empty when one file holds them all."""
    index = folder / f"{stem}.safetensors.index.json"
    if os.path.isfile(folder / f"{stem}.safetensors") or not os.path.isfile(index):
        return {}
    places = read_object(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise InputError(f"{index}: weight_map is missing, which says where each weight is; fetch the file again")
    for name, file in places.items():
        if not isinstance(file, str) or file != os.path.basename(file) or not file.endswith(".safetensors"):
            raise InputError(f"{index}: weight_map puts {name} into {file!r}, which is no .safetensors file beside it")
    return {name: folder / file for name, file in places.items()}


def stored_weights(folder: Path, stem: str = "model") -> dict[str, Stored]:
    """What the files of weights in a folder hold, from their headers.

    Raises:
        InputError: there are none, one is missing or damaged, or one lacks what the index says it holds.
    """
    files = weight_files(folder, stem)
    if not os.path.isfile(files[0]) and (pickles := sorted(folder.glob(f"*{stem}*.bin"))):
        raise InputError(f"{pickles[0]}: weights as a pickle, which could run any code; save them as .safetensors")
    headers: dict[str, dict[str, Stored]] = {}
    for path in files:
        if not os.path.isfile(path):
            raise InputError(f"{path}: no such file of weights; the checkpoint is not complete, fetch it again")
        headers[path.name] = _header(path)
    for name, path in _places(folder, stem).items():
        if name not in headers[path.name]:
            raise InputError(f"{path}: holds no weight {name}, though the index says so; fetch the checkpoint again")
    return {name: tensor for header in headers.values() for name, tensor in header.items()}


def _header(path: Path) -> dict[str, Stored]:
    """What one file holds. Its lengths and offsets are those of the file, or it is damaged."""
    try:
        with path.open("rb") as file:
            with safe_open(path, framework="pt"):
                pass
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except SafetensorError as error:
        raise InputError(f"{path}: damaged ({brief(error)}); fetch the file again") from error
    header.pop("__metadata__", None)
    return {name: Stored(tensor["dtype"], tuple(tensor["shape"])) for name, tensor in header.items()}


def check_sizes(config: dict[str, Any], path: Path, weights: dict[str, Stored] | None = None) -> None:
    """InputError for numbers in a model's configuration that no model with these weights can have.

    Building a model takes minutes for a million layers that are not there, and its memory for sizes that are not.

    Args:
        config: the content of config.json, those of its parts within it.
        path: of config.json.
        weights: what the files of weights hold; None when they are not looked at.
    """
    most = MOST_LAYERS if weights is None else len(weights)
    numbers = None if weights is None else sum(prod(tensor.shape) for tensor in weights.values())
    for key, value in _numbers(config):
        name = key.rpartition(".")[2]
        if value < 1:
            raise InputError(f"{path}: {key} is {value}, and there must be one at least; take the model's own file")
        if name in _LAYERS and value > most:
            held = "which is beyond any model" if weights is None else f"and the weights are {most} tensors in all"
            raise InputError(f"{path}: {key} is {value}, {held}; take the model's own file")
        if name in _SIZES and numbers is not None and value > numbers:
            raise InputError(f"{path}: {key} is {value}, and the weights are {numbers} numbers in all; take its own")


def _numbers(config: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, int]]:
    """The sizes and numbers of layers in a configuration, with where they stand."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{key}.")
        elif key in (*_LAYERS, *_SIZES) and type(value) is int:
            yield f"{prefix}{key}", value
