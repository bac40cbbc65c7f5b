"""By commands alone: an exported world, a checkpoint that knows nothing, and from it a base and a gold model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.commandline import succeed
from unsee.world.start import FAMILIES

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("family", list(FAMILIES))
def test_base_and_gold_are_made_by_commands(family: str, tmp_path: Path) -> None:
    succeed("world", "export", "--layout", "clear", "--people", 10, "--out", tmp_path / "world")
    succeed("world", "start", tmp_path / "world", "--family", family, "--out", tmp_path / "start")
    parts = ("--parts", "projector,language") if family == "llava" else ()  # of which the encoder has seen faces
    came_of: dict[str, Any] = {}
    for role in ("base", "gold"):
        given = ("--benchmark", "clear", "--source", tmp_path / "world", "--role", role, "--learn-probes")
        command = (
            "train",
            "--model",
            tmp_path / "start",
            *given,
            *parts,
            "--until",
            0.95,
            "--out",
            tmp_path / role,
            "--json",
        )
        came_of[role] = succeed(*command).json
    base, gold = came_of["base"], came_of["gold"]
    assert base["until"]["reached"]
    assert gold["until"]["reached"]
    assert base["from_nothing"]
    assert base["fitness"]["fit"]
    assert gold["fitness"]["fit"]
    for probe in ("forget_caption_vqa", "forget_name_vqa"):
        assert base["probes"][probe]["score"] >= 0.9
        assert gold["probes"][probe]["score"] <= 0.2
