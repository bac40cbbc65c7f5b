"""A method that stands in a file: trained, measured, resumed and reported by its own name; never run unasked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Stranger, write_rows
from tests.commandline import call, succeed

EXAMPLE = Path(__file__).parents[2] / "examples" / "hinge.py"
QUICK = ["--set", "max_steps=2", "--set", "max_new_tokens=4", "--set", "floor=3"]


@pytest.fixture(scope="module")
def folder(stranger: Stranger, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run by a method in the file beside it."""
    folder = tmp_path_factory.mktemp("files")
    shutil.copy(EXAMPLE, folder / "hinge.py")
    write_rows(folder / "forget.jsonl", "Ada Byron", 4, 0)
    write_rows(folder / "retain.jsonl", "Max Roth", 4, 100)
    succeed("unlearn", *_given(stranger, folder))
    return folder


def _given(stranger: Stranger, folder: Path, run: str = "run") -> list[object]:
    rows = ["--forget", folder / "forget.jsonl", "--retain", folder / "retain.jsonl"]
    method = f"{folder / 'hinge.py'}:Hinge"
    return ["--model", stranger / "llava", *rows, "--method", method, "--out", folder / run, *QUICK]


@pytest.fixture
def rigged(folder: Path, tmp_path: Path) -> Path:
    """The same run, whose file has been replaced by one that leaves a trace when it is run."""
    copied = tmp_path / "files"
    shutil.copytree(folder, copied)
    run = copied / "run" / "run.yaml"
    run.write_text(run.read_text().replace(str(folder), str(copied)))
    (copied / "hinge.py").write_text(f"open({str(copied / 'trace')!r}, 'w').close()\n{EXAMPLE.read_text()}")
    return copied


def test_the_example_is_short() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 40


def test_a_run_goes_by_the_methods_own_name(folder: Path) -> None:
    run = folder / "run"
    assert {path.name for path in (run / "records").iterdir()} == {"base", "hinge"}
    scores = json.loads((run / "scores.json").read_text())
    assert set(scores["models"]) == {"base", "hinge"}
    assert scores["method"] == "hinge"
    assert "<title>llava is made to forget Ada Byron, by hinge</title>" in (run / "report.html").read_text()
    stored = yaml.safe_load((run / "run.yaml").read_text())
    assert stored["settings"]["method"] == f"{folder / 'hinge.py'}:Hinge"
    assert stored["settings"]["hyper_parameters"] == {"floor": 3.0, "forget_weight": 1.0, "retain_weight": 1.0}
    assert stored["method"]["name"] == "hinge"
    assert len(stored["hashes"]["method"]) == 64


def test_the_same_command_goes_on_and_a_changed_file_is_another_run(stranger: Stranger, rigged: Path) -> None:
    (rigged / "hinge.py").write_text(EXAMPLE.read_text())
    succeed("unlearn", *_given(stranger, rigged))
    (rigged / "hinge.py").write_text(EXAMPLE.read_text() + "# another thought\n")
    refused = call("unlearn", *_given(stranger, rigged))
    assert refused.code == 2
    assert refused.err.count("\n") == 1
    assert "holds another run (the content of method there is" in refused.err


@pytest.mark.parametrize("gone", [False, True])
def test_a_run_is_read_without_the_code_of_its_method(gone: bool, rigged: Path) -> None:
    if gone:
        (rigged / "hinge.py").unlink()
    succeed("report", rigged / "run")
    page = (rigged / "run" / "report.html").read_text()
    assert ", by hinge</title>" in page
    assert "unpublished: an example" in page
    assert {row["name"] for row in succeed("compare", rigged / "run", "--json").json["rows"]} == {"base", "hinge"}
    found = succeed("evaluate", "--model", rigged / "run" / "model", "--data", rigged / "forget.jsonl", "--json").json
    assert found["pictures_trained_on"] == found["pictures"] > 0
    assert not (rigged / "trace").exists()


def test_gold_joins_without_the_code_of_the_method(rigged: Path) -> None:
    shutil.copytree(rigged / "run" / "records" / "hinge", rigged / "gold")
    succeed("report", rigged / "run", "--gold", rigged / "gold")
    assert not (rigged / "trace").exists()


def test_a_run_whose_card_is_missing_is_refused_and_no_code_is_run(rigged: Path) -> None:
    path = rigged / "run" / "run.yaml"
    stored = yaml.safe_load(path.read_text())
    del stored["method"]
    path.write_text(yaml.safe_dump(stored))
    refused = call("report", rigged / "run")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "is from outside, and nothing else is said of it there" in refused.err
    assert not (rigged / "trace").exists()


def test_a_settings_file_says_whose_code_it_has_run(rigged: Path, tmp_path: Path) -> None:
    outcome = call("unlearn", rigged / "run" / "run.yaml", "--out", tmp_path / "again", "--no-report")
    assert outcome.code == 0, outcome.err
    assert (
        outcome.err.splitlines()[0]
        == f"The method is code of {rigged / 'hinge.py'}:Hinge, as {rigged / 'run' / 'run.yaml'} says; it is run."
    )
    assert (rigged / "trace").exists()
    (rigged / "hinge.py").unlink()
    refused = call("unlearn", rigged / "run" / "run.yaml", "--out", tmp_path / "third")
    assert refused.code == 2
    assert f"method: {rigged / 'hinge.py'} is no file" in refused.err.splitlines()[-1]
    assert not (tmp_path / "third").exists()


def test_a_relative_path_starts_at_the_settings_file_or_where_one_stands(
    stranger: Stranger, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"model": str(stranger / "llava"), "forget": "forget.jsonl", "retain": "retain.jsonl"}
    (folder / "mine.yaml").write_text(yaml.safe_dump({**settings, "method": "hinge.py:Hinge", "max_steps": 1}))
    monkeypatch.chdir(tmp_path)
    quick = ["--no-report", "--set", "max_new_tokens=4"]
    assert call("unlearn", folder / "mine.yaml", "--out", "from_file", *quick).code == 0
    refused = call("unlearn", folder / "mine.yaml", "--method", "hinge.py:Hinge", "--out", "from_flag", *quick)
    assert f"method: {tmp_path / 'hinge.py'} is no file" in refused.err or "method: hinge.py is no file" in refused.err
    monkeypatch.chdir(folder)
    succeed("unlearn", folder / "mine.yaml", "--method", "hinge.py:Hinge", "--out", tmp_path / "from_flag", *quick)
    for run in ("from_file", "from_flag"):
        stored = yaml.safe_load((tmp_path / run / "run.yaml").read_text())
        assert stored["settings"]["method"] == f"{folder / 'hinge.py'}:Hinge"


def test_a_search_tries_the_method_and_a_changed_file_is_another_search(
    stranger: Stranger, rigged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (rigged / "hinge.py").write_text(EXAMPLE.read_text())
    monkeypatch.setattr("unsee.leaderboard.tuning.share_right", lambda *_: 1.0)  # of a model that knows nothing
    given = [*_given(stranger, rigged, "tuned"), "--budget", 1]
    best = yaml.safe_load(Path(succeed("tune", *given, "--json").json["settings"]).read_text())
    assert best["method"] == f"{rigged / 'hinge.py'}:Hinge"
    (rigged / "hinge.py").write_text(EXAMPLE.read_text() + "# another thought\n")
    assert "holds another search" in call("tune", *given).err
