"""What a copy of a benchmark loses by being cut, joined or edited is named before it is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.benchmarks.exports import Rows, rows_of, spoilt
from tests.commandline import call, succeed
from unsee.benchmarks import find, load_benchmark, names
from unsee.benchmarks.damage import damage
from unsee.benchmarks.source import open_source

Edit = Callable[[Rows], Any]


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


@pytest.fixture
def whole(request: pytest.FixtureRequest, clear_folder: Path, mllmu_folder: Path, tofu_folder: Path) -> dict[str, Path]:
    return {"clear": clear_folder, "mllmu": mllmu_folder, "tofu": tofu_folder}


def damages(kind: str, folder: Path) -> list[str]:
    spec = find(kind)
    return damage(load_benchmark(folder, kind), open_source(folder), spec, spec.split)


@pytest.mark.parametrize("kind", names())
def test_a_whole_copy_is_not_suspected(whole: dict[str, Path], kind: str) -> None:
    assert damages(kind, whole[kind]) == []


def without_the_first(key: str) -> Edit:
    return lambda rows: [row for row in rows if row[key] != rows[0][key]]


def twice(rows: Rows) -> Rows:
    return [rows[0], *rows]


def cut(picture: dict[str, Any]) -> None:
    picture["bytes"] = picture["bytes"][:-60]


DAMAGES: list[tuple[str, str, Edit, str]] = [
    ("clear", "retain90", without_the_first("name"), "1 people of full are neither forgotten nor retained"),
    ("clear", "forget10_perturbed", without_the_first("name"), "forget10_perturbed: 1 people who are to be forgotten"),
    ("clear", "forget10", twice, "forget: 1 rows are there twice: 2"),
    ("clear", "real_faces", twice, "real_faces: 1 rows are there twice: 2"),
    ("clear", "retain90", lambda rows: cut(rows[3]["image"]), "retain, row 4: image bytes is a broken picture"),
    ("clear", "forget10+tofu", lambda rows: rows[-1].update(question=None), "not one of caption and question"),
    ("clear", "retain90+tofu", lambda rows: rows[:-1], "questions, which are not 20 a person"),
    ("mllmu", "retain_95", without_the_first("ID"), "1 people of Full_Set are neither forgotten nor retained"),
    ("mllmu", "Test_Set", lambda rows: rows[:1], "people who are to be forgotten are missing"),
    ("mllmu", "forget_5", twice, "forget_5: people that are there twice"),
    ("mllmu", "ft_Data", twice, "ft_Data: people that are there twice"),
    ("mllmu", "ft_Data", lambda rows: rows[0].update(metadata="[]"), "ft_Data: people without questions"),
    ("mllmu", "forget_5", lambda rows: rows[0].update(Mask_Task=[]), "has no questions in Mask_Task"),
    ("mllmu", "forget_5", lambda rows: cut(rows[0]["image"]), "image bytes is a broken picture"),
    ("tofu", "retain90", lambda rows: rows[20:], "20 questions of full are neither forgotten nor retained"),
    ("tofu", "forget10", lambda rows: rows[1:], "forget10: 19 questions, which are not 20 a person"),
    ("tofu", "forget10", twice, "forget: 1 rows are there twice: 2"),
    ("tofu", "forget10_perturbed", lambda rows: rows[1:], "forget10_perturbed: 19 questions, forget10 has 20"),
]


@pytest.mark.parametrize(("kind", "config", "edit", "problem"), DAMAGES)
def test_damage_is_named(
    whole: dict[str, Path], tmp_path: Path, kind: str, config: str, edit: Edit, problem: str
) -> None:
    def edited(rows: Rows) -> Rows | None:
        made = edit(rows)
        return made if isinstance(made, list) else None

    folder = spoilt(whole[kind], tmp_path / "copy", config, edited)
    assert any(problem in line for line in damages(kind, folder)), damages(kind, folder)


@pytest.mark.parametrize("kind", names())
def test_people_in_both_sets_are_damage(whole: dict[str, Path], tmp_path: Path, kind: str) -> None:
    forget, retain = {"clear": ("forget10", "retain90"), "mllmu": ("forget_5", "retain_95")}.get(
        kind, ("forget10", "retain90")
    )
    kept = rows_of(whole[kind], retain)[0]
    folder = spoilt(whole[kind], tmp_path / "copy", forget, lambda rows: [*rows, kept])
    assert any(line.startswith(f"{forget} and {retain}: 1 ") for line in damages(kind, folder))


def test_a_damaged_copy_is_written_only_when_that_is_asked_for(clear_folder: Path, tmp_path: Path) -> None:
    folder = spoilt(clear_folder, tmp_path / "copy", "forget10", twice)
    words = ("benchmark", "write", "clear", folder, "--out", tmp_path / "data")
    outcome = call(*words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert "forget: 1 rows are there twice: 2" in outcome.err
    assert "--allow-anomalies" in outcome.err
    assert not (tmp_path / "data").exists()
    assert succeed(*words, "--allow-anomalies", "--json").json["anomalies"] == ["forget: 1 rows are there twice: 2"]
    assert json.loads((tmp_path / "data" / "forget.jsonl").read_text().splitlines()[0])
