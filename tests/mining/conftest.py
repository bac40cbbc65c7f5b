"""Tiny checkpoints and reference data, made or found once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.metrics.shared_data import shared
from tests.mining import encoders


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `clip`, `siglip`, `owl`, `grounding_dino`, `llama`, and `llava`, which captions."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for make in (encoders.clip, encoders.siglip, encoders.owl, encoders.grounding_dino, encoders.llama):
        make(folder / make.__name__)
    tiny.save(tiny.llava(), folder / "llava")
    return folder


@pytest.fixture(scope="session")
def vectors() -> dict[str, Any]:
    """Values of the paper's definitions, worked out apart from this program."""
    found: dict[str, Any] = json.loads(shared("vectors", "efuf.json").read_text())
    return found
