"""What was measured is read as it was written; files from before it had a version too, those of a later one are not."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from unsee.errors import InputError
from unsee.evaluation.results import Interval, JudgedCheck, Score, YesNoCheck
from unsee.evaluation.run_scores import VERSION, Facts, RunScores, read_scores, values_of
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
    for probes in written["models"].values():
        assert probes["faces"].pop("metrics") == {"rouge_l_recall": {"score": 0.5}}
    assert written == OLD  # nothing is lost, and nothing is there that was not looked at


def test_flat_means_of_before_are_metrics_and_are_still_written(tmp_path: Path) -> None:
    faces = {"score": 1.0, "truth_ratio_forget": None, "rouge_l_recall": 0.25}
    own: dict[str, Any] = {"score": 0.5, "low": 0.4, "high": 0.6, "n": 2}
    models = {"base": {"faces": faces}, "npo": {"faces": {**faces, "metrics": {"rouge_l_recall": own, "mine": own}}}}
    scores = read_scores(stored(tmp_path, models=models))
    base, npo = (scores.models[name]["faces"].metrics for name in ("base", "npo"))
    assert base == {"truth_ratio_forget": Interval(score=None), "rouge_l_recall": Interval(score=0.25)}
    assert npo["rouge_l_recall"] == npo["mine"] == Interval(**own)  # what has its interval goes before
    written = scores.to_dict()["models"]["npo"]["faces"]
    assert (written["rouge_l_recall"], written["truth_ratio_forget"]) == (0.5, None)
    assert "mine" not in written  # which was never there
    assert written["metrics"]["mine"] == own


@pytest.mark.parametrize(
    "metrics", [3, [], {"rouge_l_recall": 0.5}, {"rouge_l_recall": {"score": "high", "low": None, "high": None}}]
)
def test_metrics_that_are_none_are_named(tmp_path: Path, metrics: Any) -> None:
    models = {**OLD["models"], "npo": {"faces": {"score": 1.0, "metrics": metrics, "rouge_l_recall": 0.5}}}
    with pytest.raises(InputError, match=r"scores\.json: models\.npo\.faces\.metrics"):
        read_scores(stored(tmp_path, models=models))


def test_a_number_of_another_name_is_no_metric_and_is_named(tmp_path: Path) -> None:
    models = {**OLD["models"], "npo": {"faces": {"score": 1.0, "lwo": 0.5}}}
    with pytest.raises(InputError, match=r"scores\.json: models\.npo\.faces\.lwo"):
        read_scores(stored(tmp_path, models=models))


def test_the_mean_answer_probability_is_one_of_the_metrics() -> None:
    assert Score(score=1.0).mean_answer_probability is None
    assert Score(score=1.0, metrics={"mean_answer_probability": Interval(score=0.9)}).mean_answer_probability == 0.9


def test_a_file_of_this_version_is_read(tmp_path: Path) -> None:
    assert read_scores(stored(tmp_path, version=VERSION)).version == VERSION


def test_what_had_another_name_in_earlier_files_is_read() -> None:
    tally = {"judged": 2, "said": 1, "said_matched": 1, "base_said_matched": 1}
    words = {"real": tally, "mean_words": 3.0, "captions": 1}
    assert JudgedCheck.model_validate({"invented": tally, **words}) == JudgedCheck.model_validate(
        {"hallucinated": tally, **words}
    )
    rates = dict.fromkeys(("accuracy", "precision", "recall", "f1", "yes_ratio", "false_yes"), 0.5)
    rest = {**rates, "undecided": 0.0, "expected_yes": 0.5, "questions": 8, "subjects": 8, "change": {"score": 0.5}}
    assert YesNoCheck.model_validate({"invents_more": True, **rest}).hallucinates_more
    assert "hallucinates_more" in YesNoCheck.model_validate({"invents_more": True, **rest}).model_dump()


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
