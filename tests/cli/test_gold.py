"""Gold beside base and the method: asked as a model or read from records, kept in the run, and judged by."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.cli.conftest import Stranger, write_rows
from tests.commandline import Outcome, call, files_of, succeed
from unsee.runs.finished import open_run
from unsee.runs.gold import GOLD


class Scene:
    """A run with a probe to forget and one to keep, and a model that could be gold."""

    def __init__(self, stranger: Stranger, folder: Path) -> None:
        self.stranger, self.folder = stranger, folder
        self.gold = tiny.save(tiny.llava(seed=5), folder / "gold_model")
        self.keep = write_rows(folder / "others.jsonl", "Eva Lund", 6, 300)

    def run(self, name: str, *more: object, method: str = "grad_ascent", model: Path | None = None) -> Outcome:
        given = ["--model", model or self.stranger / "llava", "--forget", self.stranger / "forget.jsonl"]
        given += ["--forget-probe", f"new={self.stranger / 'held_out.jsonl'}", "--keep-probe", f"others={self.keep}"]
        given += ["--method", method, "--out", self.folder / name]
        quick = ["--set", "max_steps=1", "--set", "max_new_tokens=4", "--set", "batch_size=2"]
        return call("unlearn", *given, *quick, *more)

    def done(self, name: str, *more: object, **other: Any) -> Path:
        outcome = self.run(name, "--json", *more, **other)
        assert (outcome.code, outcome.complaints) == (0, [])
        return self.folder / name


@pytest.fixture(scope="module")
def scene(stranger: Stranger, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(stranger, tmp_path_factory.mktemp("gold"))


@pytest.fixture(scope="module")
def with_model(scene: Scene) -> Path:
    return scene.done("with_model", "--gold", scene.gold)


@pytest.fixture(scope="module")
def plain(scene: Scene) -> Path:
    return scene.done("plain")


def scores(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "scores.json").read_text())
    return found


def test_gold_is_asked_the_same_and_shown_beside_base_and_the_method(scene: Scene, with_model: Path) -> None:
    found = scores(with_model)
    assert list(found["models"]) == ["base", "gold", "grad_ascent"]
    asked = open_run(with_model).records
    for probe, rows in asked["base"].items():
        assert [row.question for row in asked["gold"][probe]] == [row.question for row in rows]
    assert asked["gold"]["new"] != asked["base"]["new"]
    page = (with_model / "report.html").read_text()
    assert "No gold model was given" not in page
    assert 'class="gold' in page or ">gold<" in page
    assert found["seconds"]["measure gold"] > 0


def test_gold_may_be_records_that_another_run_left_in_whatever_order(
    scene: Scene, with_model: Path, tmp_path: Path
) -> None:
    place = tmp_path / "records"
    shutil.copytree(with_model / "records" / "gold", place)
    lines = (place / "new.jsonl").read_text().splitlines()
    (place / "new.jsonl").write_text("\n".join(reversed(lines)) + "\n")
    found = scene.done("with_records", "--gold", place)
    assert scores(found)["models"]["gold"] == scores(with_model)["models"]["gold"]
    assert open_run(found).records[GOLD] == open_run(with_model).records[GOLD]


def test_gold_that_was_measured_is_not_asked_again(scene: Scene, with_model: Path, monkeypatch: Any) -> None:
    (with_model / "scores.json").unlink()

    def refused(*given: Any) -> None:
        raise AssertionError("gold was loaded")

    monkeypatch.setattr("unsee.runs.gold.load_gold", refused)
    assert list(scores(scene.done("with_model", "--gold", scene.gold))["models"]) == ["base", "gold", "grad_ascent"]
    # and who forgets to name it again does not lose it
    assert "gold" in scores(scene.done("with_model"))["models"]


@pytest.mark.parametrize(
    ("gold", "keywords"),
    [
        ("nowhere", ["nowhere"]),
        ("run", ["gold:", "is a run", "records/base"]),
        ("itself", ["gold:", "is the model itself"]),
        ("lacking", ["gold:", "no records of probe others"]),
        ("changed", ["gold:", "row 2 of probe new", "was not asked there"]),
        ("longer", ["gold:", "7 rows where probe new has 6"]),
        ("picture", ["gold:", "probe new", "was not asked there, or with another picture"]),
    ],
)
def test_a_gold_that_cannot_be_is_refused_before_anything_is_written(
    scene: Scene, plain: Path, tmp_path: Path, gold: str, keywords: list[str]
) -> None:
    place = tmp_path / "records"
    shutil.copytree(plain / "records" / "base", place)
    rows = [json.loads(line) for line in (place / "new.jsonl").read_text().splitlines()]
    if gold == "lacking":
        (place / "others.jsonl").unlink()
    if gold == "changed":
        rows[1]["question"] = "Who is this?"
    if gold == "longer":
        rows.append({**rows[0], "index": 6})
    if gold == "picture":
        rows[2]["image"] = "0" * 64
    (place / "new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    named = {"nowhere": tmp_path / "nowhere", "run": plain, "itself": scene.stranger / "llava"}.get(gold, place)
    outcome = scene.run("refused", "--gold", named)
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert all(keyword in line for keyword in keywords), line
    assert not files_of(scene.folder / "refused")


def test_a_finished_run_gets_its_gold_by_report(scene: Scene, plain: Path, with_model: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(plain, run)
    assert "no gold" in (run / "report.html").read_text().lower()
    found = succeed("report", run, "--gold", scene.gold, "--json").json
    assert found["report"] == str(run / "report.html")
    assert scores(run)["models"] == scores(with_model)["models"]
    assert "No gold model was given" not in (run / "report.html").read_text()
    again = (run / "scores.json").read_bytes()
    succeed("report", run)
    assert (run / "scores.json").read_bytes() == again
    # another gold takes its place
    succeed("report", run, "--gold", run / "records" / "base")
    assert scores(run)["models"]["gold"]["new"]["score"] == scores(run)["models"]["base"]["new"]["score"]
