"""FIUBench's numbers from records, against values worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.data.conftest import refused
from unsee.benchmarks.fiubench import SPEC
from unsee.benchmarks.fiubench.score import published_scores

LN2, LN4, LN8 = math.log(2), math.log(4), math.log(8)


def record(answer: float, paraphrase: float, wrong: list[float], said: str = "a b", **more: Any) -> dict[str, Any]:
    """A record whose answers have two tokens each; log-probabilities are given per token."""
    row = {"said": said, "expected": "a b", "log_prob": 2 * answer, "tokens": 2}
    row |= {"paraphrased_log_probs": [2 * paraphrase], "paraphrased_tokens": [2]}
    row |= {"perturbed_log_probs": [2 * one for one in wrong], "perturbed_tokens": [2] * len(wrong)}
    return {**row, **more}


# Per token: answer 1/2, paraphrase 1/4, wrong answers 1/8 each. R = (1/8) / (1/4) = 1/2. ROUGE-L recall 1/2.
ROW = record(-LN2, -LN4, [-LN8, -LN8], said="a c", answer_keywords=["A", "b"])


def test_the_numbers_of_each_set() -> None:
    tasks = published_scores({"forget_vqa": [ROW], "retain_vqa": [ROW]}, None, "geometric").tasks
    # Forget: the plain probability, and min(R, 1/R).
    # One of the two keywords is said.
    numbers = {"rouge": 1 / 2, "probability": 1 / 2, "truth_ratio": 1 / 2, "exact_match": 1 / 2, "n": 1}
    assert tasks["forget_vqa"] == pytest.approx(numbers)
    # Retain: among the wrong answers, (1/2) / (1/2 + 1/8 + 1/8), and max(0, 1 - R).
    assert tasks["retain_vqa"] == pytest.approx({**numbers, "probability": 2 / 3})


def test_defect_an_answer_is_scored_whole_with_a_full_stop_or_without() -> None:
    for said in ("a b", "a b.", "Well. It is a. Or b."):
        row = record(-LN2, -LN4, [-LN8], said=said, answer_keywords=["a", "b"])
        numbers = published_scores({"forget_vqa": [row]}, None, "geometric").tasks["forget_vqa"]
        assert (numbers["rouge"], numbers["exact_match"]) == (1, 1)


def test_model_utility_is_the_harmonic_mean_of_the_retain_set() -> None:
    numbers = published_scores({"forget_vqa": [ROW], "retain_vqa": [ROW]}, None, "geometric").numbers
    assert numbers["model_utility"] == pytest.approx(3 / (2 + 3 / 2 + 2))
    assert (numbers["forget_quality"], numbers["log_forget_quality"]) == (None, None)
    alone = published_scores({"forget_vqa": [ROW]}, None, "geometric")
    assert alone.numbers["model_utility"] is None
    told_nothing = record(-LN2, -LN4, [-LN8], said="c")  # a ROUGE of 0 is a utility of 0
    assert published_scores({"retain_vqa": [told_nothing]}, None, "geometric").numbers["model_utility"] == 0


def test_exact_match_is_of_the_questions_as_they_are_and_ape_of_their_other_wordings() -> None:
    none = record(-LN2, -LN4, [-LN8], said="c")  # without keywords, so not counted
    every = {**ROW, "said": "Babel"}  # inside a word and in another case counts, as published
    numbers = published_scores({"forget_vqa": [ROW, none], "forget_otherwise_vqa": [every]}, None, "geometric").numbers
    assert (numbers["exact_match"], numbers["ape"]) == (1 / 2, 1)
    assert published_scores({"retain_vqa": [ROW]}, None, "geometric").numbers["ape"] is None
    assert math.isnan(published_scores({"forget_vqa": [none]}, None, "geometric").numbers["exact_match"] or 0)


def test_forget_quality_compares_the_truth_ratios_with_gold() -> None:
    # Ratios of the model are 1/4 twice, of gold 1/2 twice: all of one below all of the other, D = 1.
    # Of the 4! / (2! 2!) = 6 orders of two and two, 2 lie as far apart: p = 1/3.
    ours = [record(-LN2, -LN2, [-LN8], id=name) for name in "ab"]
    gold = {"forget_vqa": [record(-LN2, -LN4, [-LN8], id=name) for name in "ba"]}
    numbers = published_scores({"forget_vqa": ours}, gold, "geometric").numbers
    assert numbers["forget_quality"] == pytest.approx(1 / 3)
    assert numbers["log_forget_quality"] == pytest.approx(-math.log(3))
    assert published_scores(gold, gold, "geometric").numbers["forget_quality"] == 1


def test_a_row_without_wrong_answers_makes_the_truth_ratio_unknown() -> None:
    tasks = published_scores({"forget_vqa": [ROW, record(-LN2, -LN4, [])]}, None, "geometric").tasks
    assert math.isnan(tasks["forget_vqa"]["truth_ratio"])
    assert tasks["forget_vqa"]["probability"] == pytest.approx(1 / 2)


def test_gold_has_to_be_asked_the_same() -> None:
    ours, theirs = ({"forget_vqa": [{**ROW, "id": name}]} for name in "ab")
    assert "forget_vqa: gold has a row that the model was not asked" in refused(
        published_scores, ours, theirs, "geometric"
    )


def test_probes_of_something_else_are_passed_over() -> None:
    assert SPEC.score is published_scores
    assert published_scores({"forget_caption_vqa": [ROW]}, None, "geometric").tasks == {}
