"""A world in the layout of FIUBench: its files, its lists, and what the loader makes of them."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import pytest

from tests.benchmarks.exports import damages, findings
from unsee.benchmarks import find, load_benchmark
from unsee.benchmarks.fiubench.columns import COLUMNS
from unsee.data import check_sets
from unsee.data.pictures import decode
from unsee.world import FACTS, World
from unsee.world.layouts.export import export
from unsee.world.layouts.fiubench import FiubenchLayout


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=4, people=20, photos=1, held_out_photos=1)


@pytest.fixture(scope="module")
def folder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = export(world, "fiubench", tmp_path_factory.mktemp("export") / "world")
    assert (written.rows, written.pictures) == ({"full": 20, "split": 1}, 20)
    return written.folder


def test_files_are_as_published(folder: Path, world: World) -> None:
    people = [json.loads(line) for line in (folder / "full.json").read_text().splitlines()]
    assert len(people) == 20
    assert all(list(row) == list(COLUMNS["full"]) for row in people)
    assert all(len(row["qa_list"]) == 20 for row in people)
    asked = people[0]["qa_list"][0]
    assert list(asked) == list(COLUMNS["full"]["qa_list"][0])
    assert (len(asked["paraphrased_question"]), len(asked["perturbed_answer"])) == (3, 3)
    assert asked["keywords"] == [world.private_people[0].facts["city"]] == [asked["answer"]]
    assert people[0]["image_path"] == "./dataset/SFHQ/SFHQ_pt1_00000001.png"
    photo = (folder / "SFHQ" / "SFHQ_pt1_00000001.png").read_bytes()
    assert photo == world.photo(world.private_people[0], 0)
    assert decode(photo).size == (64, 64)


def test_the_loader_suspects_nothing(folder: Path) -> None:
    assert findings(folder, "fiubench", "error") == findings(folder, "fiubench", "note") == []
    assert damages(folder, "fiubench") == []


def test_sets_of_a_world(folder: Path) -> None:
    loaded = load_benchmark(folder, "fiubench", "forget10")
    assert (len(loaded.forget), len(loaded.retain)) == (2 * 20, 16 * 20)  # one more in forget1, one in forget5
    assert {probe.name: (len(probe), probe.trained_on) for probe in loaded.probes} == {
        "forget_vqa": (2 * 20, True),
        "forget_otherwise_vqa": (2 * 15, False),  # three wordings of each of five facts
        "retain_vqa": (5 * 20, True),
        "retain_otherwise_vqa": (5 * 15, False),
    }
    check_sets(loaded.forget, loaded.retain, loaded.probes)
    forgotten = {row.subject for row in loaded.forget}
    assert not forgotten & {row.subject for row in loaded.gold_rows}
    assert forgotten <= {row.subject for row in loaded.base_rows}


def test_four_hundred_people_are_listed_as_published() -> None:
    lists = FiubenchLayout(World(people=400, photos=1, held_out_photos=1)).lists
    assert {name: len(people) for name, people in lists.items()} == {
        "forget1": 4, "forget5": 20, "forget10": 40, "retain5": 20, "retain15": 60,
    }  # fmt: skip
    assert set(lists["retain5"]) < set(lists["retain15"])
    apart = [lists[name] for name in ("forget1", "forget5", "forget10", "retain15")]
    assert len({person for people in apart for person in people}) == sum(map(len, apart))


def test_each_fact_is_asked_in_as_many_wordings(folder: Path) -> None:
    row = json.loads((folder / "full.json").read_text().splitlines()[3])
    assert len({asked["question"] for asked in row["qa_list"]}) == 20
    assert len({asked["answer"] for asked in row["qa_list"]}) == len(FACTS)
    held_out = {question for asked in row["qa_list"] for question in asked["paraphrased_question"]}
    assert not held_out & {asked["question"] for asked in row["qa_list"]}


def test_datasets_reads_the_folder(folder: Path) -> None:
    row = next(iter(datasets.load_dataset(str(folder), "full", split="train", streaming=True)))
    assert set(find("fiubench").columns["full"]) <= set(row)


def test_the_same_arguments_write_the_same_bytes(world: World, folder: Path, tmp_path: Path) -> None:
    again = export(world, "fiubench", tmp_path / "again").folder
    for name in ("full.json", "split.json", "README.md", "SFHQ/SFHQ_pt1_00000020.png"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
