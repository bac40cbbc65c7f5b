"""Where the files of a model are: in a folder, or under an id on the hub, which fetches them into its cache."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from unsee.errors import InputError, did_you_mean
from unsee.vlm.checkpoint import brief, weight_files

_SMALL = ("*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken", "*.py")  # all but the weights


def find(source: str) -> Path:
    """The folder with the files of a model, its weights excepted when it comes from the hub.

    Args:
        source: a folder, or a hub id like owner/name.

    Raises:
        InputError: there is no such folder, and no such model on the hub or in its cache.
    """
    folder = Path(source)
    if os.path.isdir(folder):
        return folder
    if not _may_be_hub_id(source):
        hint = did_you_mean(folder.name, _folders_beside(folder))
        raise InputError(
            f"{source}: no such model folder{hint}; give a folder with config.json, or a hub id like owner/name"
        )
    return _fetch(source, list(_SMALL))


def find_weights(source: str, folder: Path, stem: str) -> None:
    """Fetch the weights of a model whose small files `find` has found in a folder of the hub's cache.

    Args:
        source: as for `find`; nothing is to be done for a folder.
        folder: what `find` gave.
        stem: "model", or "adapter_model" for those of an adapter.
    """
    if not os.path.isdir(source):
        _fetch(source, [path.name for path in weight_files(folder, stem)], revision=folder.name)


def _fetch(source: str, patterns: list[str], revision: str | None = None) -> Path:
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HFValidationError, HTTPError  # type: ignore[attr-defined]

    try:
        return Path(snapshot_download(source, allow_patterns=patterns, revision=revision))
    except (OSError, HTTPError, HFValidationError) as error:  # most of the hub's own errors are OSErrors
        if constants.HF_HUB_OFFLINE:
            told = "no such model in the cache of the hub, which is off (HF_HUB_OFFLINE)"
        else:
            told = f"the hub says: {brief(error)}"
        raise InputError(f"{source}: no such folder, and {told}") from error


def _may_be_hub_id(source: str) -> bool:
    """`owner/name`, unless `owner` is a folder: then a slip of the pen is likelier than a wish to ask the hub."""
    owner, slash, name = source.partition("/")
    return bool(slash and name) and "/" not in name and owner not in ("", ".", "..", "~") and not os.path.exists(owner)


def _folders_beside(folder: Path) -> list[str]:
    with suppress(OSError):
        return [entry.name for entry in folder.absolute().parent.iterdir() if entry.is_dir()]
    return []
