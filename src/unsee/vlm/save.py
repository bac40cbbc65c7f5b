"""Writing a model: what its libraries leave out, or put in that is none of a reader's business, is put right."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from unsee.system.files import read_json, write_json
from unsee.vlm.checkpoint import weight_files
from unsee.vlm.load import LoadedModel
from unsee.vlm.lora import CONFIG


def save(loaded: LoadedModel, folder: Path) -> None:
    """Write a model, or the adapter on it, and its processor.

    Tensors of its checkpoint that the architecture has no place for (heads that predict several tokens ahead, `mtp.*`)
    are copied through as they were.

    Args:
        loaded: as `unsee.vlm.load` gives it, trained or not.
        folder: made where it does not exist.
    """
    model: Any = loaded.model
    model.save_pretrained(folder)
    loaded.processor.save_pretrained(folder)
    if os.path.isfile(folder / CONFIG):
        _order(folder / CONFIG)
        _name_no_folder(folder / "README.md")
    elif loaded.unread:
        _copy(loaded.unread, folder)


def _order(path: Path) -> None:
    """PEFT writes sets in an order that changes from run to run."""
    config = read_json(path)
    for key in ("target_modules", "exclude_modules"):
        if isinstance(config.get(key), list):
            config[key] = sorted(config[key])
    write_json(path, config)


def _name_no_folder(path: Path) -> None:
    """Take a base that is a folder of this machine out of an adapter's card; the hub knows models by ids alone."""
    card: Any = ModelCard.load(path)
    if not os.path.isabs(str(card.data.base_model or "")):
        return
    card.data.base_model = None
    card.data.tags = [tag for tag in card.data.tags or [] if not tag.startswith("base_model:")]
    card.save(path)


def _copy(unread: Mapping[str, Path], folder: Path) -> None:
    """Put tensors into a file of their own beside those of a model, and all of them into the index."""
    written = {name: path.name for path in weight_files(folder) for name in _names(path)}
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if os.path.isfile(single):
        single.rename(folder / "model-00001-of-00002.safetensors")
        written = dict.fromkeys(written, "model-00001-of-00002.safetensors")
    count = len(set(written.values())) + 1
    extra = f"model-{count:05d}-of-{count:05d}.safetensors"
    tensors: dict[str, Tensor] = {}
    for name, path in unread.items():
        with safe_open(path, framework="pt") as file:
            tensors |= {name: file.get_tensor(name)} if name not in written else {}
    save_file(tensors, folder / extra, metadata={"format": "pt"})
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    places = written | dict.fromkeys(tensors, extra)
    write_json(index, {"metadata": {"total_size": size}, "weight_map": dict(sorted(places.items()))})


def _names(path: Path) -> list[str]:
    with safe_open(path, framework="pt") as file:
        return list(file.keys())
