"""Small worlds in the layouts of CLEAR and MLLMU-Bench, exported once."""

from __future__ import annotations

from pathlib import Path

import pytest

from unsee.world import World
from unsee.world.layouts.export import export


@pytest.fixture(scope="session")
def world() -> World:
    return World(seed=3, people=40, photos=2, held_out_photos=2)


@pytest.fixture(scope="session")
def clear_folder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(world, "clear", tmp_path_factory.mktemp("clear") / "world").folder


@pytest.fixture(scope="session")
def mllmu_folder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(world, "mllmu", tmp_path_factory.mktemp("mllmu") / "world").folder
