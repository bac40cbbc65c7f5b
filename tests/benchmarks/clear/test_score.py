"""CLEAR's three numbers from records, against values worked out by hand."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest

from unsee.benchmarks.clear.score import SPLITS, aggregate, score_clear, score_probe
from unsee.benchmarks.logs import task_log
from unsee.errors import InputError
from unsee.metrics.task_scores import TaskScores

LN2, LN4, LN8 = math.log(2), math.log(4), math.log(8)


def record(
    answer: float, paraphrase: float | None, wrong: list[float], said: str = "a b", **more: Any
) -> dict[str, Any]:
    """A record whose answers have two tokens each; likelihoods are given per token."""
    row = {"said": said, "expected": "a b", "log_prob": 2 * answer, "tokens": 2}
    if paraphrase is not None:
        row |= {"paraphrased_log_probs": [2 * paraphrase, -99.0], "paraphrased_tokens": [2, 2]}
    row |= {"perturbed_log_probs": [2 * one for one in wrong], "perturbed_tokens": [2] * len(wrong)}
    return {**row, **more}


# Per token: answer 1/2, paraphrase 1/4, wrong answers 1/8 each. R = wrong / paraphrase = 1/2.
CAPTION = record(-LN2, -LN4, [-LN8, -LN8], said="a c")  # ROUGE-L recall 1/2
# Without a paraphrase the answer takes its place: R = (1/4) / (1/2) = 1/2; among options 1/2 / (1/2 + 2 * 1/4) = 1/2.
NAME = record(-LN2, None, [-LN4, -LN4])  # ROUGE-L recall 1


def test_caption_has_plain_probability_and_first_paraphrase() -> None:
    scores = score_probe(task_log([CAPTION]), "retain_caption_vqa")
    assert scores.rouge == pytest.approx(0.5)
    assert scores.probability == pytest.approx(0.5)
    assert scores.truth_ratio == pytest.approx(1 - 0.5)
    certain = record(-LN2, -LN2, [-LN8])  # R = 1/4
    assert score_probe(task_log([certain]), "retain_caption_vqa").truth_ratio == pytest.approx(3 / 4)  # max(0, 1 - R)
    assert score_probe(task_log([certain]), "forget_caption_vqa").truth_ratio == pytest.approx(1 / 4)  # min(R, 1/R)


@pytest.mark.parametrize("probe", ["real_faces", "real_world", "retain_name_vqa", "forget_name_vqa"])
def test_names_and_real_sets_have_their_probability_among_options(probe: str) -> None:
    unequal = record(-LN2, None, [-LN2, -LN4])  # 1/2 / (1/2 + 1/2 + 1/4) = 0.4
    scores = score_probe(task_log([NAME, unequal]), probe)
    assert scores.probability == pytest.approx((0.5 + 0.4) / 2)


def test_splits_with_and_without_rouge() -> None:
    records = {probe: [CAPTION if "caption" in probe else NAME] for probes in SPLITS.values() for probe in probes}
    scores = score_clear(records)
    # Without ROUGE: four numbers of 1/2. With it, 1/2 and 1 more: 6 / (5 * 2 + 1).
    assert scores.splits_without_rouge == pytest.approx({"real": 0.5, "retain": 0.5, "forget": 0.5})
    assert scores.splits["retain"] == scores.splits["forget"] == pytest.approx(6 / 11)
    assert scores.splits["real"] == pytest.approx(6 / 10)
    assert scores.forget_quality is None


def test_textual_questions_stand_beside_and_never_enter_the_splits() -> None:
    records = {probe: [CAPTION if "caption" in probe else NAME] for probes in SPLITS.values() for probe in probes}
    question = {"said": "wrong", "expected": "a b", "log_prob": -8.0, "tokens": 2}
    scores = score_clear({**records, "forget_qa": [question], "something_else": [question]})
    assert scores.splits == score_clear(records).splits
    assert scores.per_task["forget_qa"].probability == pytest.approx(math.exp(-4))
    assert scores.per_task["forget_qa"].rouge == 0
    assert math.isnan(scores.per_task["forget_qa"].truth_ratio)
    assert "something_else" not in scores.per_task


def test_missing_probe_makes_its_split_nan_and_no_other() -> None:
    records = {"retain_caption_vqa": [CAPTION], "retain_name_vqa": [NAME], "real_faces": [NAME]}
    scores = score_clear(records)
    assert math.isnan(scores.splits["real"])
    assert math.isnan(scores.splits["forget"])
    assert scores.splits["retain"] == pytest.approx(6 / 11)


def test_forget_quality_compares_with_gold() -> None:
    ours = [record(-LN2, -LN4, [-LN8 - step / 10], expected=f"{step}") for step in range(5)]
    far = [record(-LN2, -LN4, [-LN2 + step / 10], expected=f"{step}") for step in range(5)]
    same = score_clear({"forget_caption_vqa": ours}, {"forget_caption_vqa": ours}).forget_quality
    other = score_clear({"forget_caption_vqa": ours}, {"forget_caption_vqa": far}).forget_quality
    assert same is not None
    assert (same.kolmogorov_smirnov.p_value, same.js, same.js_clear_v4) == (1, 1, 1)
    assert other is not None
    assert other.kolmogorov_smirnov.p_value == pytest.approx(2 / math.comb(10, 5))  # all of one below all of the other
    assert other.js_clear_v4 is not None
    assert other.js_clear_v4 < 1
    shuffled = score_clear({"forget_caption_vqa": ours}, {"forget_caption_vqa": ours[::-1]}).forget_quality
    assert shuffled is not None
    assert (shuffled.kolmogorov_smirnov.p_value, shuffled.js_clear_v4) == (1, None)  # rows do not stand side by side


def test_missing_log_probability_is_nan_and_stays() -> None:
    scores = score_probe(task_log([NAME, {**NAME, "log_prob": None}]), "retain_name_vqa")
    assert math.isnan(scores.probability)
    assert scores.n == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:-1], "the model has a row that gold was not asked ('q', '4')"),
        (lambda rows: [*rows, rows[2]], "gold has a row that the model was not asked ('q', '2')"),
        (lambda rows: [*rows[:-1], {**rows[-1], "question": "Who?"}], "gold has a row that the model was not asked"),
    ],
)
def test_a_gold_that_was_asked_other_rows_is_refused(change: Callable[[Any], Any], message: str) -> None:
    rows = [record(-LN2, -LN4, [-LN8 - step / 10], expected=f"{step}", question="q") for step in range(5)]
    with pytest.raises(InputError, match=re.escape(message)):
        score_clear({"forget_caption_vqa": rows}, {"forget_caption_vqa": change(rows)})


def test_aggregates_of_a_published_row() -> None:
    # printed for retain fine-tuning: Real .499 and Retain .259 without ROUGE, Forget .420 with it
    authors = TaskScores(0.9, 0.456567, 0.587677, 100)
    world = TaskScores(0.9, 0.435672, 0.544697, 117)
    assert aggregate([authors, world], with_rouge=False) == pytest.approx(0.499, abs=5e-4)
    assert aggregate([TaskScores(0.4, 0.31766, 0.218803, 300)], with_rouge=False) == pytest.approx(0.259, abs=5e-4)
    assert aggregate([TaskScores(0.412971, 0.294207, 0.757407, 300)]) == pytest.approx(0.420, abs=5e-4)


def test_defect_aggregates_say_whether_rouge_is_in() -> None:
    """CLEAR's paper defines its three numbers with ROUGE, its repository leaves ROUGE out, and one printed table
    mixes both recipes. Here the paper's is the default and the other has a name."""
    task = TaskScores(0.1, 0.5, 0.5, 10)
    assert aggregate([task]) == pytest.approx(3 / (10 + 2 + 2), abs=1e-15)
    assert aggregate([task], with_rouge=False) == pytest.approx(0.5, abs=1e-15)
