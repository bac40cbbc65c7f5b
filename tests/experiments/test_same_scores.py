"""The script that compares two scores.json finds every number that is other, whatever version either has."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.experiments.scripts import script

main = script("same_scores").main

OLD: dict[str, Any] = {
    "models": {"base": {"p": {"score": 0.5, "low": None, "rouge_l_recall": 0.25}}, "npo": {"p": {"score": 0.0}}},
    "curve": [{"step": 1, "forget": 2.0}],
    "condition": {"npo": None},
    "trained_on": ["p"],
    "watched": True,
    "seconds": {"unlearn": 3.0},
}


def compared(folder: Path, old: Any, new: Any) -> int:
    for name, value in (("old", old), ("new", new)):
        (folder / name).mkdir()
        (folder / name / "scores.json").write_text(json.dumps(value))
    code: int = main([str(folder / "old"), str(folder / "new" / "scores.json")])
    return code


def test_means_may_move_to_metrics_and_more_may_come(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = deepcopy(OLD) | {"version": 2, "seconds": {"unlearn": 9.0}}
    probe = new["models"]["base"]["p"]
    probe["metrics"] = {"rouge_l_recall": {"score": probe.pop("rouge_l_recall") + 1e-15, "low": 0.1}}
    assert compared(tmp_path, OLD, new) == 0
    assert capsys.readouterr().out == "9 of 9 values are the same; 2 are new\n"


@pytest.mark.parametrize(("said", "code"), [(1, 0), (2, 1)])
def test_what_had_another_name_is_compared_with_what_it_is_called_now(tmp_path: Path, said: int, code: int) -> None:
    old = OLD | {"judged": {"npo": {"p": {"invented": {"said": 1}}}}}
    assert compared(tmp_path, old, OLD | {"judged": {"npo": {"p": {"hallucinated": {"said": said}}}}}) == code


def _set(*place: Any) -> Any:
    *path, last, value = place

    def change(scores: Any) -> None:
        for key in path:
            scores = scores[key]
        if value is ...:
            del scores[last]
        else:
            scores[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (_set("models", "base", "p", "score", 0.5000001), "models.base.p.score: 0.5 became 0.5000001"),
        (_set("models", "base", "p", "low", 0.0), "models.base.p.low: None became 0.0"),
        (_set("models", "npo", "p", "score", None), "models.npo.p.score: 0.0 became None"),
        (_set("models", "base", "p", "rouge_l_recall", ...), "models.base.p.rouge_l_recall: 0.25 is missing"),
        (
            _set("models", "base", "p", "metrics", {"rouge_l_recall": {"score": 0.3}}),
            "models.base.p.rouge_l_recall: 0.25 became 0.3",
        ),
        (_set("curve", 0, "forget", 3.0), "curve.0.forget: 2.0 became 3.0"),
        (_set("trained_on", 0, "q"), "trained_on.0: 'p' became 'q'"),
        (_set("watched", 1), "watched: True became 1"),
    ],
)
def test_every_value_that_is_other_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Any, line: str
) -> None:
    new = deepcopy(OLD)
    change(new)
    assert compared(tmp_path, OLD, new) == 1
    assert capsys.readouterr().out.splitlines()[0] == line


def test_what_is_no_scores_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compared(tmp_path, [], OLD) == 2
    assert capsys.readouterr().err.startswith(f"same_scores: error: {tmp_path / 'old' / 'scores.json'}: holds no")
