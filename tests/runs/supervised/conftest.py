"""A tiny model, and rows that it can learn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from unsee.data import Example
from unsee.runs.supervised.settings import TrainSettings, parse
from unsee.world import World
from unsee.world.layouts.export import export

Given = Callable[..., TrainSettings]
ROWS = [Example(f"Where does Ada {number} live?", city) for number, city in enumerate(["Riga", "Oslo", "Lima"] * 2)]


@pytest.fixture(scope="session")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tiny.llava(), tmp_path_factory.mktemp("random") / "model")


@pytest.fixture(scope="session")
def clear_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _exported("clear", tmp_path_factory)


@pytest.fixture(scope="session")
def mllmu_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _exported("mllmu", tmp_path_factory)


def _exported(layout: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = World(seed=3, people=20, photos=2, held_out_photos=2)
    return export(world, layout, tmp_path_factory.mktemp(layout) / "world").folder


@pytest.fixture
def given(random_model: Path, tmp_path: Path) -> Given:
    """Settings under which the tiny model learns `ROWS` in some thirty steps."""

    def settings(out: str = "out", **values: Any) -> TrainSettings:
        quick = {"learning_rate": 3e-3, "scheduler": "constant", "batch_size": 6, "max_steps": 60, "save_steps": 4}
        quick |= {"until": {"every": 5}, "max_new_tokens": 6, "model": str(random_model), "out": str(tmp_path / out)}
        return parse({**quick, **values})

    return settings
