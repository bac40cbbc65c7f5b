"""A base that does not know what is to be forgotten is called unfit before anything is unlearned from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import tiny
from tests.commandline import call
from unsee.data import Example, write_jsonl
from unsee.runs import run
from unsee.runs.supervised.learn import learn
from unsee.runs.supervised.settings import parse

ROWS = [Example(f"Where does Ada {n} live?", city) for n, city in enumerate(["Riga", "Oslo", "Lima"] * 2)]
ARGUMENTS = ("--method", "grad_ascent", "--no-report", "--set", "max_steps=1", "--set", "max_new_tokens=6")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model, one that has learned its rows, and these rows."""
    folder = tmp_path_factory.mktemp("fitness")
    tiny.save(tiny.llava(), folder / "random")
    write_jsonl(ROWS, folder / "rows.jsonl")
    values = {"learning_rate": 3e-3, "scheduler": "constant", "max_steps": 60, "max_new_tokens": 6, "batch_size": 6}
    learn(parse({"model": str(folder / "random"), "until": {"every": 5}, "out": str(folder / "out"), **values}), ROWS)
    return folder


def test_it_is_said_before_the_training_and_in_what_is_left(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("unlearn", "--model", folder / "random", "--forget", folder / "rows.jsonl", "--out", tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(run, "train", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert call(*given, *ARGUMENTS).err.startswith("unsee: The base is unfit: it has not learned what is to")
    outcome = call(*given, *ARGUMENTS)
    assert outcome.code == 0
    (line,) = outcome.err.splitlines()
    assert line.startswith("unsee: The base is unfit: it has not learned")
    assert "(forget: 0 % of 6 rows known, 0 to " in line
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert scores["fitness"]["fit"] is False
    assert f"unsee: {scores['advice'][0]}" == line


def test_nothing_is_said_of_a_base_that_knows_it(folder: Path, tmp_path: Path) -> None:
    model, rows = folder / "out" / "model", folder / "rows.jsonl"
    outcome = call("unlearn", "--model", model, "--forget", rows, "--out", tmp_path / "out", *ARGUMENTS)
    assert (outcome.code, outcome.err) == (0, "")
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert (scores["fitness"]["fit"], scores["fitness"]["known"]) == (True, ["forget"])
