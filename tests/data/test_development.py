"""Which rows a training is watched by: held out where it can spare them, and never those that a probe asks."""

from __future__ import annotations

from collections import Counter

import pytest

from tests import tiny
from unsee.data import Example, Probe
from unsee.data.development import FEWEST, development
from unsee.data.held_out import Division
from unsee.data.sets import asked


def photographs(people: int, each: int, questions: int = 1) -> list[Example]:
    """So many people with so many photographs, about each of which so many questions are asked."""
    return [
        Example(f"Question {question}?", "Riga", tiny.picture(1000 * person + photo), subject=f"person {person}")
        for person in range(people)
        for photo in range(each)
        for question in range(questions)
    ]


def test_rows_are_held_out_evenly_over_subjects_which_all_stay() -> None:
    rows = photographs(6, 10)
    division = development(rows, [], count=12, seed=0)
    assert (len(division.held_out), len(division.train), division.by) == (12, 48, "picture")
    assert set(Counter(row.subject for row in division.held_out).values()) == {2}
    assert not asked(division.held_out).keys() & asked(division.train).keys()


def test_all_questions_about_a_picture_go_together() -> None:
    division = development(photographs(4, 8, questions=3), [], count=50, seed=1)
    assert len(division.held_out) == 24  # a quarter of 96, in threes
    assert {row.image for row in division.held_out}.isdisjoint({row.image for row in division.train})


@pytest.mark.parametrize("people", [1, 5])
def test_the_last_picture_of_a_subject_is_trained_on(people: int) -> None:
    rows = [*photographs(people, 1), *photographs(1, 60)[30:]]
    division = development(rows, [], count=50, seed=0)
    assert len(division.held_out) >= FEWEST
    assert {row.subject for row in rows} == {row.subject for row in division.train}


@pytest.mark.parametrize(("rows", "held_out"), [(5, 0), (31, 0), (32, 8), (100, 25), (500, 50)])
def test_few_rows_are_trained_on_and_asked_all_the_same(rows: int, held_out: int) -> None:
    texts = [Example(f"Question {number}?", "Riga", subject="Ada") for number in range(rows)]
    division = development(texts, [], count=50, seed=0)
    assert len(division.train) == rows - held_out
    assert division.by == ("question" if held_out else "")
    assert len(division.held_out) == (held_out or min(rows, 50))


def test_no_row_that_a_probe_asks_is_held_out() -> None:
    rows = photographs(4, 20)
    probe = Probe("captions", rows[: len(rows) // 2], trained_on=True)
    division = development(rows, [probe], count=50, seed=0)
    assert (len(division.held_out), division.by) == (20, "picture")
    assert not asked(division.held_out).keys() & asked(probe.examples).keys()
    all_of_them = development(rows, [Probe("captions", rows, trained_on=True)], count=50, seed=0)
    assert (len(all_of_them.train), all_of_them.by) == (80, "")


def test_of_what_is_reported_no_row_is_asked_even_where_all_are_trained_on() -> None:
    rows = photographs(4, 5)
    tried, reported = Probe("tried", rows[:12], trained_on=True), Probe("reported", rows[12:], trained_on=True)
    assert development(rows, [tried, reported], 50, 0) == Division(rows, rows, "")
    assert development(rows, [tried, reported], 50, 0, reported=[reported]) == Division(rows, rows[:12], "")


def test_the_same_seed_holds_out_the_same_rows() -> None:
    rows = photographs(4, 10)
    first, again, other = (development(rows, [], 10, seed).held_out for seed in (0, 0, 1))
    assert first == again != other
