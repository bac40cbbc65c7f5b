"""Files of a run that somebody has changed: one line with the file and the field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Stranger
from tests.cli.test_wrong_input import Scene
from tests.commandline import call
from unsee.errors import InputError
from unsee.evaluation.run_scores import VERSION
from unsee.runs.clock import Clock


@pytest.fixture(scope="module")
def finished(stranger: Stranger, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    scene = Scene(stranger, tmp_path_factory.mktemp("finished")).add("--no-report")
    assert call(*scene.arguments).code == 0
    return scene


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"models": 3}, "models"),
        ({"models": {"base": []}}, "models.base"),
        ({"seconds": {"unlearn": "long"}}, "seconds.unlearn"),
        ({"curve": [{"step": []}]}, "curve.0.step"),
        ({"method": None}, "method"),
        ({"unreadable": {"forget": "all"}}, "unreadable.forget"),
        ({"models": {}}, "models: value error, holds the scores of base"),
        ({"judged": {"base": {}}}, "judged: lacks"),
        ({"pictures": {}}, "pictures: lacks forget"),
        ({"condition": {"grad_diff": 3}}, "condition.grad_diff"),
        (None, ""),
    ],
)
def test_scores_that_were_changed_are_named_with_their_field(
    finished: Scene, change: dict[str, Any] | None, field: str
) -> None:
    path = finished.out / "scores.json"
    before = path.read_text()
    try:
        path.write_text(json.dumps(None if change is None else {**json.loads(before), **change}))
        outcome = call("report", finished.out)
        assert (outcome.code, outcome.out) == (2, "")
        (line,) = outcome.err.splitlines()
        assert f"{path}: {field}" in line
        assert "the file is not as it was written" in line
    finally:
        path.write_text(before)
    assert call("report", finished.out).code == 0


def test_scores_of_a_later_version_are_refused_in_one_line(finished: Scene) -> None:
    path, page = finished.out / "scores.json", finished.out / "report.html"
    before = path.read_text()
    assert json.loads(before)["version"] == VERSION
    page.unlink(missing_ok=True)
    try:
        path.write_text(json.dumps({**json.loads(before), "version": VERSION + 1}))
        outcome = call("report", finished.out)
        assert (outcome.code, outcome.out, page.exists()) == (2, "", False)
        (line,) = outcome.err.splitlines()
        assert f"{path}: is of version {VERSION + 1}" in line
    finally:
        path.write_text(before)


@pytest.mark.parametrize("content", ["[]", '{"measure": "long"}', "3", "{"])
def test_seconds_that_were_changed_are_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "seconds.json").write_text(content)
    with pytest.raises(InputError, match=r"seconds\.json"):
        Clock(tmp_path / "seconds.json")
