"""Small worlds in the layouts of CLEAR, MLLMU-Bench and UMU-Bench, exported once, and a small TOFU."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.benchmarks.exports import Rows
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


@pytest.fixture(scope="session")
def umu_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = World(seed=3, people=20, photos=1, held_out_photos=1)
    return export(world, "umu", tmp_path_factory.mktemp("umu") / "world").folder


@pytest.fixture(scope="session")
def tofu_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten authors, the last of whom is to be forgotten."""
    folder = tmp_path_factory.mktemp("tofu")
    asked = [{"question": f"What of {n}?", "answer": f"It is {n}."} for n in range(200)]
    more = {"paraphrased_question": "What?", "paraphrased_answer": "It.", "perturbed_answer": ["That.", "This."]}
    sets: dict[str, Rows] = {"full": asked, "forget10": asked[180:], "retain90": asked[:180]}
    sets["forget10_perturbed"] = [{**row, **more} for row in asked[180:]]
    sets |= {"retain_perturbed": [{**row, **more} for row in asked[:180:9]]}
    sets |= {
        name: [{"question": name, "answer": "It.", "perturbed_answer": ["That."]}]
        for name in ("real_authors_perturbed", "world_facts_perturbed")
    }
    for config, rows in sets.items():
        (folder / config).mkdir()
        pq.write_table(pa.Table.from_pylist(rows), folder / config / "train-00000-of-00001.parquet")
    return folder
