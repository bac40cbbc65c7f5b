"""The numbers of the three tasks about people, from records."""

from __future__ import annotations

import math
from typing import Any

import pytest

from unsee.benchmarks.tasks import score_tasks

OPTIONS = ("Riga", "Oslo", "Lima", "Bonn")


def choice(chosen: str | None, likely: int = 1) -> dict[str, Any]:
    """Right is B, Oslo."""
    log_probs = [-6.0] * 4
    log_probs[likely] = -1.0
    return {
        "said": "Oslo",
        "expected": "Oslo",
        "choices": OPTIONS,
        "chosen": chosen,
        "choice_log_probs": log_probs,
        "choice_tokens": [1] * 4,
    }


def said(text: str, expected: str) -> dict[str, Any]:
    return {"said": text, "expected": expected}


def test_classification_by_letter_and_by_likelihood() -> None:
    rows = [choice("B"), choice("The answer is B."), choice("A", likely=0), choice("Apple pie")]
    scores = score_tasks({"forget_classification_vqa": rows})["forget_classification_vqa"]
    assert scores == {"n": 4, "letter": 0.25, "letter_tolerant": 0.5, "likelihood": 0.75}


def test_likelihood_is_per_token() -> None:
    row = choice("B") | {"choice_log_probs": [-3.0, -4.0, -9.0, -9.0], "choice_tokens": [1, 2, 1, 1]}
    assert score_tasks({"retain_classification_qa": [row]})["retain_classification_qa"]["likelihood"] == 1


def test_cloze_wants_whole_words_and_tells_the_published_rule_apart() -> None:
    rows = [said("She paints hearts.", "art"), said("It is Art!", "art"), said("no", "art")]
    scores = score_tasks({"celebrity_cloze_qa": rows})["celebrity_cloze_qa"]
    assert scores["cloze"] == pytest.approx(1 / 3)
    assert scores["cloze_substring"] == pytest.approx(2 / 3)


def test_generation() -> None:
    text = "This person was born in Riga, Latvia."
    rows = [said(text, text), said("The individual owns a dog.", "This person has a cat named Luna.")]
    scores = score_tasks({"forget_test_generation_vqa": rows})["forget_test_generation_vqa"]
    assert scores["rouge_l_f1"] == pytest.approx((1 + 1 / 6) / 2, abs=1e-6)
    assert 0 < scores["bleu"] < 1
    assert score_tasks({"forget_generation_qa": rows[:1]})["forget_generation_qa"]["bleu"] == pytest.approx(1)


def test_what_records_lack_is_nan() -> None:
    row = choice(None) | {"choice_log_probs": (), "choice_tokens": ()}
    scores = score_tasks({"forget_classification_vqa": [row], "forget_cloze_vqa": []})
    assert all(math.isnan(scores["forget_classification_vqa"][name]) for name in ("letter", "likelihood"))
    assert math.isnan(scores["forget_cloze_vqa"]["cloze"])


def test_other_probes_are_passed_over() -> None:
    assert score_tasks({"scenes": [said("a", "a")], "forget_vqa": []}) == {}
