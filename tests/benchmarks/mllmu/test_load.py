"""MLLMU-Bench: three tasks in two modalities, four sets, and no evaluation question in a preserve set."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.exports import Rows, rows_of, spoilt
from tests.data.conftest import refused
from unsee.benchmarks import load_benchmark
from unsee.data import Benchmark, Example, check_sets
from unsee.metrics.answers import normalise

SETS = ("forget", "forget_test", "retain", "celebrity")
PER_PERSON = {"classification": 5, "cloze": 2, "generation": 2}
REQUESTS = ("visual", "textual", "both")


def probe(benchmark: Benchmark, name: str) -> list[Example]:
    return next(list(probe.examples) for probe in benchmark.probes if probe.name == name)


def _of(ids: set[str], rows: Rows) -> Rows:
    return [row for row in rows if row["ID"] in ids]


def text_questions(benchmark: Benchmark) -> set[str]:
    return {normalise(row.question) for probe in benchmark.probes for row in probe.examples if row.image is None}


def test_every_set_has_three_tasks_in_both_modalities(mllmu_folder: Path) -> None:
    loaded = load_benchmark(mllmu_folder, "mllmu", "forget_10")
    people = {"forget": 4, "forget_test": 4, "retain": 36, "celebrity": 8}
    assert {probe.name: len(probe) for probe in loaded.probes} == {
        f"{name}_{task}_{kind}": people[name] * count
        for name in SETS
        for task, count in PER_PERSON.items()
        for kind in ("vqa", "qa")
    }
    for one in loaded.probes:
        assert {row.image is not None for row in one.examples} == {one.name.endswith("vqa")}


@pytest.mark.parametrize("request_", REQUESTS)
def test_request_decides_what_is_forgotten(mllmu_folder: Path, request_: str) -> None:
    loaded = load_benchmark(mllmu_folder, "mllmu", "forget_10", request_)
    visual, textual = 4 * 15 * (request_ != "textual"), 4 * 15 * (request_ != "visual")
    assert len(loaded.forget) == visual + textual
    assert sum(row.image is not None for row in loaded.forget) == visual
    assert len(loaded.retain) == 36 * 15 * (1 if request_ == "visual" else 2)
    names = {json.loads(row["biography"])["Name"] for row in rows_of(mllmu_folder, "forget_10")}
    assert {row.subject for row in loaded.forget} == names
    assert names.isdisjoint(row.subject for row in loaded.retain)
    check_sets(loaded.forget, loaded.retain, loaded.probes)


def test_test_set_shows_other_images_of_the_same_people_and_always_the_same(mllmu_folder: Path) -> None:
    first, again = (load_benchmark(mllmu_folder, "mllmu", "forget_10") for _ in range(2))
    known, changed = probe(first, "forget_cloze_vqa"), probe(first, "forget_test_cloze_vqa")
    assert [row.subject for row in known] == [row.subject for row in changed]
    assert {row.image for row in known}.isdisjoint(row.image for row in changed)
    assert changed == probe(again, "forget_test_cloze_vqa")


def test_answers_come_from_the_tasks(mllmu_folder: Path) -> None:
    loaded = load_benchmark(mllmu_folder, "mllmu")
    row = rows_of(mllmu_folder, "forget_5")[0]
    item = row["Classification_Task"]["Image_Textual_Questions"][0]
    asked = probe(loaded, "forget_classification_vqa")[0]
    assert asked.question == item["Question"]
    assert asked.choices == tuple(item["Options"].values())
    assert asked.answer == item["Options"][item["Correct_Answer"]]
    blank = next(item for item in row["Mask_Task"] if item["Type"] == "Pure_Text")
    filled = probe(loaded, "forget_cloze_qa")[0]
    assert filled.question.endswith(blank["Question"])
    assert "__" in filled.question
    assert filled.answer == blank["Ground_Truth"]
    sentence = next(item for item in row["Generation_Task"] if item["Type"] == "Image_Textual")
    said = probe(loaded, "forget_generation_vqa")[0]
    assert (said.question, said.answer) == (sentence["Question"], sentence["Ground_Truth"])


def test_names_take_the_place_of_this_person(mllmu_folder: Path) -> None:
    loaded = load_benchmark(mllmu_folder, "mllmu", request="both")
    seen, told = ([row for row in loaded.forget if bool(row.image) == wanted] for wanted in (True, False))
    assert [row.question.replace("this person", str(row.subject)) for row in seen] == [row.question for row in told]
    assert [row.answer for row in seen] == [row.answer for row in told]


def test_questions_that_need_eyes_or_ask_for_the_name_have_no_textual_twin(mllmu_folder: Path, tmp_path: Path) -> None:
    def add(rows: Rows) -> None:
        for row in rows:
            name = json.loads(rows_of(mllmu_folder, "Full_Set")[int(row["ID"]) - 1]["biography"])["Name"]
            questions = [
                {"Question": "What is the name of this person?", "Answer": name},
                {"Question": "What is this person wearing in the picture?", "Answer": "A hat."},
                {"Question": "What does he like?", "Answer": "Tea."},
                {"Question": "What does the individual in this photo drink?", "Answer": "Tea."},
            ]
            row["metadata"] = json.dumps(questions)

    folder = spoilt(mllmu_folder, tmp_path / "copy", "ft_Data", add)
    loaded = load_benchmark(folder, "mllmu", "forget_5", "textual")
    assert len(loaded.forget) == 2
    assert all(row.question == f"What does {row.subject} drink?" for row in loaded.forget)


@pytest.mark.parametrize("request_", REQUESTS)
def test_no_evaluation_question_is_ever_in_the_preserve_set(mllmu_folder: Path, tmp_path: Path, request_: str) -> None:
    profiles = {row["ID"]: row for row in rows_of(mllmu_folder, "Full_Set")}

    def leak(rows: Rows) -> None:
        """Train on what is evaluated: with a name in shouted text, and as it stands about the photograph."""
        for row in rows:
            task = profiles[row["ID"]]["Classification_Task"]
            name = json.loads(profiles[row["ID"]]["biography"])["Name"]
            leaked = [item["Question"].replace(name, "this person").upper() for item in task["Pure_Text_Questions"]]
            leaked += [item["Question"] for item in task["Image_Textual_Questions"]]
            more = [{"Question": question, "Answer": "Leaked"} for question in leaked]
            row["metadata"] = json.dumps([*json.loads(row["metadata"]), *more])

    folder = spoilt(mllmu_folder, tmp_path / "copy", "ft_Data", leak)
    loaded = load_benchmark(folder, "mllmu", "forget_10", request_)
    assert any(row.answer == "Leaked" for row in loaded.forget)
    assert not any(row.answer == "Leaked" for row in loaded.preserve)
    assert text_questions(loaded).isdisjoint(normalise(row.question) for row in loaded.preserve if row.image is None)
    assert bool(loaded.preserve) == (request_ != "both")


def test_training_questions_may_lie_in_the_second_repository(
    mllmu_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "benchmark", tmp_path / "training"
    shutil.copytree(mllmu_folder, here)
    (here / "ft_Data").rename(tmp_path / "ft_Data")
    for config in ("forget_5", "retain_95"):
        ids = {row["ID"] for row in rows_of(mllmu_folder, config)}
        (there / config).mkdir(parents=True)
        shutil.copy(tmp_path / "ft_Data" / "train-00000-of-00001.parquet", there / config)
        spoilt(there, there, config, partial(_of, ids))
    message = refused(load_benchmark, here, "mllmu")
    assert "no ft_Data" in message
    assert "MLLMMU/baseline_train_split" in message
    plain, split = load_benchmark(mllmu_folder, "mllmu"), load_benchmark(here, "mllmu", training=there)
    assert [split.forget, split.retain, split.preserve] == [plain.forget, plain.retain, plain.preserve]

    asked: dict[str, object] = {}

    def snapshot_download(name: str, **options: object) -> str:
        asked.update(options, name=name)
        return str(there)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    assert load_benchmark(here, "mllmu", training="MLLMMU/baseline_train_split").forget == plain.forget
    assert asked["repo_type"] == "model"
    assert asked["allow_patterns"] == ["forget_5/*", "retain_95/*"]


@pytest.mark.parametrize(
    ("config", "edit", "expected"),
    [
        (
            "forget_5",
            lambda row: row["Classification_Task"]["Pure_Text_Questions"][1].update(Correct_Answer="E"),
            "Classification_Task.Pure_Text_Questions[1]: Correct_Answer is 'E', none of A, B, C, D",
        ),
        ("forget_5", lambda row: row["Mask_Task"][0].update(Type="Sound"), "Mask_Task[0]: Type is 'Sound'"),
        ("forget_5", lambda row: row["Mask_Task"][0].update(Ground_Truth=""), "Mask_Task[0], answer: empty"),
        ("Test_Set", lambda row: row.update(images=[]), "images: no images"),
        ("ft_Data", lambda row: row.update(metadata="[{"), "metadata: broken JSON"),
        ("ft_Data", lambda row: row.update(metadata='{"a": 1}'), "metadata: must hold a list"),
        ("ft_Data", lambda row: row.update(ID="999"), "ft_Data has no row with ID"),
    ],
)
def test_bad_rows_end_in_one_line(
    mllmu_folder: Path, tmp_path: Path, config: str, edit: Callable[[dict[str, Any]], None], expected: str
) -> None:
    def spoil(rows: Rows) -> None:
        for row in rows:
            edit(row)

    folder = spoilt(mllmu_folder, tmp_path / "copy", config, spoil)
    assert expected in refused(load_benchmark, folder, "mllmu")


def test_person_without_a_name_in_the_biography_goes_by_number(mllmu_folder: Path, tmp_path: Path) -> None:
    def nameless(rows: Rows) -> None:
        rows[0]["biography"] = "not JSON"
        rows[1]["biography"] = "[]"

    folder = spoilt(mllmu_folder, tmp_path / "copy", "forget_5", nameless)
    numbers = [row["ID"] for row in rows_of(mllmu_folder, "forget_5")[:2]]
    loaded = load_benchmark(folder, "mllmu")
    assert {row.subject for row in loaded.forget} == {f"person {number}" for number in numbers}
