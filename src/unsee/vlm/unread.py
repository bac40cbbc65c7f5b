"""Tensors of a checkpoint that its architecture has no place for: neither measured nor trained, but kept."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from safetensors import safe_open
from torch import nn

from unsee.vlm.checkpoint import Stored, weight_files


def unread_weights(
    model: nn.Module, folder: Path, stored: Mapping[str, Stored], unexpected: Collection[str]
) -> dict[str, Path]:
    """The tensors of a checkpoint that its architecture has no place for.

    Args:
        model: as `from_pretrained` gives it.
        folder: of the checkpoint.
        stored: what its files hold.
        unexpected: what `from_pretrained` found no place for, under the names that it gives to weights.

    Returns:
        The file of each, by the name that it has there. Those that transformers passes over knowingly are among them,
        except what it computes anew (positions).
    """
    passed_over = [re.compile(pattern) for pattern in getattr(model, "_keys_to_ignore_on_load_unexpected", None) or ()]
    computed = re.compile(r"inv_freq$|position_ids$")
    names = {_nearest(name, stored) for name in unexpected}
    names |= {name for name in stored if any(regex.search(name) for regex in passed_over)}
    places: dict[str, Path] = {}
    for path in weight_files(folder):
        with safe_open(path, framework="pt") as file:
            places |= {name: path for name in file.keys() if name in names and not computed.search(name)}  # noqa: SIM118
    return places


def _nearest(name: str, stored: Mapping[str, Stored]) -> str:
    """The stored name with the longest ending in common: transformers exchanges beginnings."""
    if name in stored:
        return name
    words = name.split(".")
    return max(stored, key=lambda other: _common_ending(other.split("."), words))


def _common_ending(words: list[str], other: list[str]) -> int:
    return next(
        (n for n, pair in enumerate(zip(words[::-1], other[::-1], strict=False)) if pair[0] != pair[1]), len(words)
    )
