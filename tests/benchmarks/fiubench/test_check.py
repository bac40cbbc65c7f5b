"""The check of FIUBench says what is odd, and what a cut, joined or edited copy has lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.exports import damages, findings
from tests.benchmarks.fiubench.copies import person, spoilt, written
from unsee.benchmarks import find
from unsee.benchmarks.validate import validate

Edit = Callable[[Any], Any]


def first(**changes: Any) -> Edit:
    """Change a question of somebody who is forgotten."""
    return lambda people: people[1]["qa_list"][0].update(changes)


def test_a_whole_copy_is_not_suspected(folder: Path) -> None:
    assert validate(folder, find("fiubench")) == ({"full": 8, "split": 1}, [])
    assert damages(folder, "fiubench") == []


@pytest.mark.parametrize(
    ("edit", "level", "words"),
    [
        (lambda people: people.append(people[0]), "error", "people that are there twice: 00000001"),
        (lambda people: people[2].update(image_path=people[1]["image_path"]), "error", "who share a picture with some"),
        (lambda people: people[0].update(unique_id="", image_path="a.jpg"), "error", "people without unique_id in 1"),
        (lambda people: people[0].update(image_path="a.jpg"), "error", "1 pictures that cannot be opened: "),
        (lambda people: people[0]["qa_list"].pop(), "note", "differ in number: 1 people with 3, 7 people with 4"),
        (first(question=None), "error", "no question in 1 questions: row 2, 0"),
        (first(answer=" "), "error", "no answer in 1 questions: row 2, 0"),
        (first(perturbed_answer=[]), "error", "no perturbed answer, so no truth ratio, in 1 questions: row 2, 0"),
        (first(paraphrased_answer=""), "note", "no paraphrased answer in 1 questions"),
        (first(paraphrased_question=[]), "note", "no other wording in 1 questions"),
        (first(keywords=None), "note", "no keywords in 1 questions"),
        (first(perturbed_answer=["answer 0 of 00000002"]), "note", "perturbed answers that are right in 1 questions"),
        (first(answer="The **a: Riga"), "note", "asterisks, a rest of Markdown, in the answer in 1 questions"),
    ],
)
def test_odd_people_are_named(folder: Path, tmp_path: Path, edit: Edit, level: str, words: str) -> None:
    copy = spoilt(folder, tmp_path / "copy", edit)
    assert any(where == "full" and words in message for where, message in findings(copy, "fiubench", level))


@pytest.mark.parametrize(
    ("edit", "level", "where", "words"),
    [
        (lambda lists: lists["forget5"].append("9"), "error", "split, forget5", "1 people are not in full: 9"),
        (lambda lists: lists["forget5"].append("00000002"), "error", "split, forget5", "listed twice: 00000002"),
        (lambda lists: lists["retain5"].append("00000002"), "error", "forget5, retain5", "1 people are in both"),
        (lambda lists: lists["forget1"].append("00000002"), "note", "forget1, forget5", "1 people are in both"),
        (lambda lists: lists.update(retain15=None), "error", "split", "retain15 is no list of people"),
    ],
)
def test_odd_lists_are_named(folder: Path, tmp_path: Path, edit: Edit, level: str, where: str, words: str) -> None:
    copy = spoilt(folder, tmp_path / "copy", lists=edit)
    assert any(place == where and words in message for place, message in findings(copy, "fiubench", level))


def test_people_behind_the_first_400_are_told_of(tmp_path: Path) -> None:
    people = [person(number, questions=1) for number in range(1, 403)]
    folder = written(tmp_path / "many", people)
    copy = spoilt(folder, tmp_path / "copy", lists=lambda lists: lists["retain15"].append("00000402"))
    assert ("full", "has 402 people, of whom the first 400 are used") in findings(copy, "fiubench", "note")
    late = ("split, retain15", "1 people are none of the first 400: 00000402")
    assert findings(copy, "fiubench", "error") == [late]


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda people: people.pop(1), "full: 1 people of forget5 are missing: 00000002"),
        (lambda people: people.pop(6), "full: 1 people of retain15 are missing: 00000007"),
        (first(perturbed_answer=[]), "full: 4 measured questions have no perturbed answers: 00000002/0, "),
        (lambda people: people[1]["qa_list"].append(people[1]["qa_list"][0]), "forget: 1 rows are there twice: 5"),
    ],
)
def test_damage_is_named(folder: Path, tmp_path: Path, edit: Edit, problem: str) -> None:
    lines = damages(spoilt(folder, tmp_path / "copy", edit), "fiubench")
    assert any(problem in line for line in lines), lines


def test_people_in_both_sets_are_damage(folder: Path, tmp_path: Path) -> None:
    copy = spoilt(folder, tmp_path / "copy", lists=lambda lists: lists["retain5"].append("00000002"))
    assert "forget5 and retain5: 1 people in both: 00000002" in damages(copy, "fiubench")


def test_a_picture_that_is_cut_is_damage(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    path = copy / "SFHQ" / "SFHQ_pt1_00000002.jpg"
    path.write_bytes(path.read_bytes()[:-60])
    (line,) = damages(copy, "fiubench")
    assert line.startswith("forget, row 1: ")
    assert "broken picture" in line
