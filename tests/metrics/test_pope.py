# ruff: noqa: RUF001 (letters of other scripts look like ours)
"""POPE: reading answers and counting them."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.shared_data import shared
from unsee.metrics.pope import Pope, YesNo, official_answer, pope, tolerant_answer


@pytest.mark.parametrize(
    ("said", "official", "tolerant"),
    [
        ("Yes", "yes", "yes"),
        ("yes, there is a dog.", "yes", "yes"),
        ("no", "no", "no"),
        ("No, there is no dog.", "no", "no"),
        ("There is a dog.", "yes", "yes"),
        ("Yes. I cannot be sure.", "yes", "yes"),
        ("There is another dog", "yes", "yes"),
        ("Yes, next to the snowboard", "yes", "yes"),
        ("There is not a dog", "no", "no"),
        ("It isn\u2019t in the image.", "yes", "no"),
        ("NO", "yes", "no"),
        ("NO!", "yes", "no"),
        ("Nope", "yes", "no"),
        ("The answer is yes", "yes", "yes"),
        ("The answer is: no", "no", "no"),
        ("None of them are visible", "yes", "no"),
        ("I see two dogs", "yes", "yes"),
        ("I do not see a dog", "no", "no"),
        ("Absolutely not", "no", "no"),
        ("I don't know", "yes", None),
        ("I am not sure", "no", None),
        ("It is unclear", "yes", None),
        ("Maybe", "yes", None),
        ("A red snowboard", "yes", None),
        ("", "yes", None),
        ("...", "yes", None),
        ("🙂", "yes", None),
    ],
)
def test_reading_answers(said: str, official: YesNo, tolerant: YesNo | None) -> None:
    assert official_answer(said) == official
    assert tolerant_answer(said) == tolerant


def test_official_reading_agrees_with_the_reference_table() -> None:
    for said, official, _ in json.loads(shared("vectors", "efuf.json").read_text())["pope_parse"]:
        assert official_answer(said) == official


def test_defect_parts_of_words_are_no_answer() -> None:
    """EFUF looks for "no" and "not" as substrings, so that "another" and "snowboard" deny."""
    assert tolerant_answer("There is another snowboard") == "yes"
    assert tolerant_answer("Yes, a notebook") == "yes"


def test_defect_an_answer_with_a_full_stop_counts() -> None:
    """lmms-eval scores "Yes." and "Yes, there is" as wrong because they do not equal "yes"."""
    for said in ("Yes.", "Yes, there is", "yes\n"):
        assert tolerant_answer(said) == "yes"
    assert official_answer("Yes.") == "yes"


def test_rates_by_hand() -> None:
    # TP 3, FP 1, TN 4, FN 2: accuracy 7/10, precision 3/4, recall 3/5, F1 6/9, yes 4/10
    yes: list[YesNo] = ["yes"]
    no: list[YesNo] = ["no"]
    scores = pope(yes * 4 + no * 6, yes * 3 + no * 5 + yes * 2)
    assert scores == Pope(true_yes=3, false_yes=1, true_no=4, false_no=2)
    assert (scores.accuracy, scores.precision, scores.recall) == (0.7, 0.75, 0.6)
    assert scores.f1 == pytest.approx(2 / 3, abs=1e-15)
    assert scores.yes_ratio == 0.4


def test_defect_yes_ratio_is_that_of_the_answers() -> None:
    """lmms-eval reports the share of yes among the labels: 0.5 for a model that always says yes."""
    scores = pope(["yes"] * 3000, ["yes", "no"] * 1500)
    assert scores.yes_ratio == 1.0
    assert (scores.accuracy, scores.precision, scores.recall) == (0.5, 0.5, 1.0)
    assert scores.f1 == pytest.approx(2 / 3, abs=1e-15)


def test_defect_a_model_that_never_says_yes_has_a_score() -> None:
    """POPE's script divides by zero."""
    scores = pope(["no"] * 4, ["yes", "no"] * 2)
    assert math.isnan(scores.precision)
    assert (scores.f1, scores.recall, scores.accuracy, scores.yes_ratio) == (0.0, 0.0, 0.5, 0.0)


def test_defect_undecided_answers_stay_in_the_count() -> None:
    """EFUF drops them, which rewards a model for evading."""
    scores = pope(["yes", None, None], ["yes", "yes", "no"])
    assert (scores.n, scores.undecided_yes, scores.undecided_no) == (3, 1, 1)
    assert scores.accuracy == pytest.approx(1 / 3, abs=1e-15)
    assert scores.recall == 0.5
    assert scores.f1 == pytest.approx(2 / 3, abs=1e-15)  # 2 / (2 + 0 + 1)


def test_no_questions() -> None:
    scores = pope([], [])
    assert all(math.isnan(x) for x in (scores.accuracy, scores.precision, scores.recall, scores.f1, scores.yes_ratio))
    with pytest.raises(ValueError, match="1 answers to 2 questions"):
        pope(["yes"], ["yes", "no"])


@given(st.lists(st.tuples(st.sampled_from(["yes", "no", None]), st.sampled_from(["yes", "no"])), min_size=1))
def test_rates_lie_between_zero_and_one(pairs: list[tuple[YesNo | None, YesNo]]) -> None:
    scores = pope([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    assert scores.n == len(pairs)
    for rate in (scores.accuracy, scores.precision, scores.recall, scores.f1, scores.yes_ratio):
        assert math.isnan(rate) or 0 <= rate <= 1


@given(st.text())
def test_any_text_can_be_read(said: str) -> None:
    assert official_answer(said) in ("yes", "no")
    assert tolerant_answer(said) in ("yes", "no", None)


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("Да, там собака.", "yes"),
        ("Нет.", "no"),
        ("是的，有一只狗", "yes"),
        ("没有", "no"),
        ("不是", "no"),
        ("はい、います", "yes"),
        ("いいえ", "no"),
        ("ไม่มี", "no"),
        ("हाँ", "yes"),
        ("नहीं, नहीं है", "no"),
        ("네, 있습니다", "yes"),
        ("نعم", "yes"),
        ("Nein, da ist kein Hund.", "no"),
        ("Sí", "yes"),
        ("ＮＯ", "no"),  # full-width
        ("1. yes", "yes"),
        ("Там собака", None),  # opens with neither
        ("狗", None),
    ],
)
def test_yes_and_no_are_read_in_other_scripts_where_they_open_an_answer(said: str, read: YesNo | None) -> None:
    assert tolerant_answer(said) == read
