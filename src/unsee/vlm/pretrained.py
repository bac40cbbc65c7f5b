"""Checkpoints of the models that help with mining: loaded with errors of one line, and told apart by their content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import torch

from unsee.errors import InputError
from unsee.vlm.checkpoint import stored_weights
from unsee.vlm.load import from_pretrained

_SAMPLE = 1 << 20  # bytes from both ends of a file of weights


def pretrained(factory: Any, source: str, what: str, **options: Any) -> Any:
    """`factory.from_pretrained(source)`.

    Args:
        factory: a class of transformers.
        source: folder or hub id.
        what: is loaded, for the message.
        options: of `from_pretrained`.

    Raises:
        InputError: there is no such checkpoint, or it is of another kind.
    """
    return from_pretrained(factory, source, what, **options)


def config_of(source: str) -> Any:
    """The configuration of a checkpoint that is to be loaded later; it tells the kind of model at no cost.

    Raises:
        InputError: there is no such checkpoint, or its folder holds no weights, or damaged ones.
    """
    from transformers import AutoConfig

    config = pretrained(AutoConfig, source, "config.json")
    if os.path.isdir(source):
        if not any(Path(source).glob("*.safetensors")):
            raise InputError(f"{source}: holds no weights; give a folder with config.json and *.safetensors")
        if not stored_weights(Path(source)):
            raise InputError(f"{source}: its files of weights hold none; fetch the checkpoint again")
    return config


def tokenizer_of(source: str) -> Any:
    """The tokenizer of a checkpoint.

    Raises:
        InputError: it has none.
    """
    from transformers import AutoTokenizer

    tokenizer = pretrained(AutoTokenizer, source, "tokenizer")
    check_tokenizer(tokenizer, source)
    return tokenizer


def check_tokenizer(tokenizer: Any, source: str) -> None:
    """InputError for a tokenizer without words, which transformers makes for a folder that has no tokenizer's files."""
    folder = Path(source)
    known = {"tokenizer.json", "tekken.json", *getattr(tokenizer, "vocab_files_names", {}).values()}
    if os.path.isdir(folder) and not any(os.path.isfile(folder / name) for name in known):
        raise InputError(f"{source}: holds no tokenizer; add tokenizer.json of the model it stems from")


def this_device() -> torch.device:
    """The accelerator when there is one."""
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def fingerprint(source: str | Path) -> str:
    """Tells a checkpoint from another one, or from itself after further training, without loading it.

    SHA-256 over names and sizes of its files, over the small ones whole and over both ends of the large ones. A hub id
    stands for itself.
    """
    folder = Path(source)
    if not os.path.isdir(folder):
        return str(source)
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")):
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode("utf-8", "surrogateescape"))
        with path.open("rb") as file:
            digest.update(file.read(_SAMPLE))
            if size > _SAMPLE:
                file.seek(max(_SAMPLE, size - _SAMPLE))
                digest.update(file.read(_SAMPLE))
    return digest.hexdigest()
