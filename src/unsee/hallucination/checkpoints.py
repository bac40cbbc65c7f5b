"""Checkpoints of the models that help with mining: loaded with errors of one line, and told apart by their content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import torch

from unsee.vlm.load import _from_pretrained

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
    return _from_pretrained(factory, source, what, **options)


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
