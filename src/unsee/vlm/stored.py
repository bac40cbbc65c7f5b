"""Tensors kept in a file of a run, under a key that names everything they were made from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from unsee.system import processes
from unsee.system.atomic import whole_file


def read_tensors(path: Path | None, key: str) -> dict[str, Tensor] | None:
    """The tensors of a file; None when there is no file, it is damaged or it was written under another key."""
    if path is None or not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as stored:
            if (stored.metadata() or {}).get("key") != key:
                return None
            return {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 -- it is no dictionary
    except SafetensorError:
        return None


def write_tensors(path: Path | None, tensors: Mapping[str, Tensor], key: str) -> None:
    """Write tensors to a file, which appears when it is whole. Of several processes one writes; None writes nothing."""
    if path is None or not processes.is_main():
        return
    with whole_file(path) as temporary:
        save_file({name: value.contiguous() for name, value in tensors.items()}, temporary, metadata={"key": key})
