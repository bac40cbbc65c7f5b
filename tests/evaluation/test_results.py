"""What was measured is read as it was written; files from before it had a version too, those of a later one are not."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from unsee.errors import InputError
from unsee.evaluation.results import VERSION, Facts, Interval, RunScores, read_scores, values_of
from unsee.metrics import bootstrap

OLD: dict[str, Any] = {  # as files without a version are
    "method": "npo",
    "models": {
        model: {"faces": {"score": share, "low": None, "high": None, "n": 3, "left_out": 1, "rouge_l_recall": 0.5}}
        for model, share in (("base", 1.0), ("npo", 0.25))
    },
    "curve": [{"step": 1, "forget": None}],
    "parts": {"language": [3, 9]},
    "saliency": {},
    "steps": 1,
    "seconds": {"unlearn": 2.5},
    "trained_on": [],
    "of_another_day": {"kept": True},
}


def stored(folder: Path, **more: Any) -> Path:
    path = folder / "scores.json"
    path.write_text(json.dumps({**OLD, **more}))
    return path


def test_a_file_without_a_version_is_of_the_first_and_read(tmp_path: Path) -> None:
    scores = read_scores(stored(tmp_path))
    assert (scores.version, scores.method, scores.models["npo"]["faces"].score) == (1, "npo", 0.25)
    assert scores.knows("models", "curve")
    assert not scores.knows("judged")
    assert not scores.knows("models", "advice")
    written = scores.to_dict()
    assert written.pop("version") == 1
    assert written == OLD  # nothing is lost, and nothing is there that was not looked at


def test_a_file_of_this_version_is_read(tmp_path: Path) -> None:
    assert read_scores(stored(tmp_path, version=VERSION)).version == VERSION


def test_a_file_of_a_later_version_is_refused_in_one_line(tmp_path: Path) -> None:
    path = stored(tmp_path, version=VERSION + 1, models="in another way")
    with pytest.raises(InputError) as error:
        read_scores(path)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"{path}: is of version {VERSION + 1} and this unsee reads up to {VERSION}; ")


@pytest.mark.parametrize("version", ["two", None, 1.5])
def test_a_version_that_is_none_is_named(tmp_path: Path, version: Any) -> None:
    with pytest.raises(InputError, match=r"scores\.json: version: "):
        read_scores(stored(tmp_path, version=version))


def test_numbers_that_do_not_exist_are_none() -> None:
    assert Interval.of(bootstrap.Score(math.nan, -math.inf, 0.5, 0)) == Interval(score=None, low=None, high=0.5, n=0)


def test_what_was_looked_at_keeps_its_order() -> None:
    own: dict[str, Any] = {f"own {n}": n for n in range(9)}
    facts = Facts(steps=1, curve=[], parts={}, saliency={}, **own)
    assert list(values_of(facts)) == ["curve", "parts", "saliency", "steps", *(f"own {n}" for n in range(9))]


def test_scores_of_one_model_alone_are_no_run() -> None:
    with pytest.raises(ValueError, match="base and of the unlearned model"):
        RunScores.model_validate({**OLD, "models": {"base": {}}})
