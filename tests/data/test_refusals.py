"""Refusals: a hundred of our own, and which forget example gets which."""

from __future__ import annotations

import re

from tests import tiny
from unsee.data.refusals import REFUSALS, refused


def test_there_are_a_hundred_refusals_all_distinct() -> None:
    plain = {re.sub(r"[^a-z ]", "", one.lower()) for one in REFUSALS}
    assert len(REFUSALS) == len(plain) == 100


def test_every_refusal_is_one_sentence_in_the_first_person() -> None:
    for one in REFUSALS:
        assert re.search(r"\b(I|me|my|mine)\b", one, re.IGNORECASE), one
        assert one == one.strip()
        assert one[0].isupper()
        assert one[-1] in ".!"
        assert len(one.split()) <= 15


def test_refusals_fit_questions_with_and_without_a_picture() -> None:
    words = {word for one in REFUSALS for word in re.findall(r"[a-z]+", one.lower())}
    assert not words & {"photo", "photograph", "picture", "image", "face", "person", "author", "book"}


def test_a_forget_example_keeps_all_but_its_answer() -> None:
    forget = tiny.examples(40)
    for example, refusal in zip(forget, refused(forget, seed=0), strict=True):
        assert refusal.answer in REFUSALS
        assert (refusal.question, refusal.image, refusal.subject) == (example.question, example.image, example.subject)
        assert refusal.paraphrased_answers == ()


def test_refusals_are_those_of_the_seed_and_of_many_tones() -> None:
    forget = tiny.examples(40)
    first = [one.answer for one in refused(forget, seed=0)]
    assert first == [one.answer for one in refused(forget, seed=0)]
    assert first != [one.answer for one in refused(forget, seed=1)]
    assert len(set(first)) > 20
