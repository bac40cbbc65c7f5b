"""What names a model, rows or a word list, in full: the same from any folder."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from unsee.data.paths import from_address
from unsee.metrics.lexicon import COCO

_HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?(:[\w.-]+)?(#[\w.-]+)?")
_DATA_FILE = re.compile(r".*\.(jsonl|json|parquet)(#.*)?", re.IGNORECASE)


def absolute(source: str, folder: Path = Path()) -> str:
    """A local path in full, so that `run.yaml` means the same from any folder; a hub id as it is.

    Args:
        source: a path, `FOLDER:CONFIGURATION`, or a hub id, with `#SPLIT` behind it or without.
        folder: where relative paths start.
    """
    source = from_address(source)
    path = os.path.abspath(folder / Path(source).expanduser())
    whole = path.rpartition("#")[0] if "#" in source and not os.path.exists(path) else path
    place, colon, _ = whole.rpartition(":")
    local = os.path.exists(whole) or (colon and os.path.isdir(place))
    hub_id = _HUB_ID.fullmatch(source) and not _DATA_FILE.fullmatch(source)
    return source if hub_id and not local else path


def word_list(name: str, folder: Path = Path()) -> str:
    """The path of a word list in full; "coco" is the name of the one that comes along."""
    return name if name == COCO else os.path.abspath(folder / Path(name).expanduser())


def as_lists(value: Any) -> Any:
    """One word list is as good as a list of them."""
    return [value] if isinstance(value, str) else value
