"""Reading multiple-choice and fill-in answers."""

from __future__ import annotations

import math

import pytest

from unsee.metrics.multiple_choice import contains_answer, most_likely_choice, strict_choice, tolerant_choice

CITIES = ["Porto", "Lisbon", "New York", "York"]


@pytest.mark.parametrize(
    ("said", "strict", "tolerant"),
    [
        ("B", 1, 1),
        (" B\n", 1, 1),
        ("b", None, 1),
        ("(B)", None, 1),
        ("B.", None, 1),
        ("**B**", None, 1),
        ("B) Porto", None, 1),  # the letter decides
        ("The answer is B", None, 1),
        ("Answer: (b).", None, 1),
        ("I choose option C because", None, 2),
        ("She lives in Lisbon.", None, 1),
        ("Porto or Lisbon", None, None),
        ("lisbon", None, 1),
        ("York", None, 3),
        ("E", None, None),  # no such option
        ("A, C", None, None),
        ("A or B", None, None),
        ("(A) and (B)", None, None),
        ("A. York, I think", None, 0),
        ("B, I think", None, 1),
        ("The answer is a dog", None, None),
        ("The answer is a", None, 0),
        ("Answer: c, surely", None, 2),
        ("THE ANSWER IS D", None, 3),
        ("A dog", None, None),
        ("Berlin", None, None),
        ("", None, None),
    ],
)
def test_reading_choices(said: str, strict: int | None, tolerant: int | None) -> None:
    assert strict_choice(said, len(CITIES)) == strict
    assert tolerant_choice(said, CITIES) == tolerant


def test_an_option_within_another_is_ambiguous() -> None:
    assert tolerant_choice("in New York", CITIES) is None  # "York" is named as well


def test_defect_a_letter_within_a_text_is_no_choice() -> None:
    """Searching for the letter anywhere counts every text with a capital A as the answer A."""
    assert tolerant_choice("An image of Albert", ["x", "y"]) is None


def test_number_of_options() -> None:
    with pytest.raises(ValueError, match="not 0"):
        tolerant_choice("A", [])
    with pytest.raises(ValueError, match="not 27"):
        strict_choice("A", 27)


def test_most_likely_choice() -> None:
    assert most_likely_choice([-3.0, -1.0, -2.0]) == 1
    assert most_likely_choice([-1.0, -1.0]) == 0
    assert most_likely_choice([]) is None
    assert most_likely_choice([-1.0, math.nan]) is None


def test_contains_answer() -> None:
    assert contains_answer("She lives in lisbon, I think", "Lisbon.")
    assert not contains_answer("Lisbonne", "Lisbon")
    assert contains_answer("C++ it is", "C++")
    assert not contains_answer("anything", "")


@pytest.mark.parametrize(
    ("said", "expected", "contained"),
    [
        ("她住在东京附近", "东京", True),
        ("เธออยู่กรุงเทพ", "กรุงเทพ", True),
        ("она живёт в Риге", "Рига", False),
        ("город Рига.", "Рига", True),
        ("Ригами", "Рига", False),
    ],
)
def test_a_blank_is_filled_in_any_script(said: str, expected: str, contained: bool) -> None:
    assert contains_answer(said, expected) is contained
