"""A base that never learned what is to go is unfit, and so is a gold model that knows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest

from unsee.data import Example, Probe
from unsee.data.example import AnswerSpan, Role
from unsee.evaluation.fitness import Fitness, Whose, fitness
from unsee.evaluation.records import Record


def said(right: Sequence[bool], tokens: int = 2, log_prob: float = -9.0) -> list[Record]:
    return [
        Record("p", n, None, f"s{n}", None, "Who?", "Ada", "Ada" if yes else "Bob", yes, log_prob, tokens)
        for n, yes in enumerate(right)
    ]


def seen(whose: Whose = "base", roles: dict[str, Role | None] | None = None, **records: list[Record]) -> Fitness:
    probes = [
        Probe(name, [Example("Who?", "Ada")] * len(rows), role=(roles or {}).get(name, "forget"))
        for name, rows in records.items()
    ]
    judged = fitness(probes, records, whose)
    assert judged is not None
    return judged


def test_half_of_a_probe_is_enough() -> None:
    known = seen(forget=said([True, True, False, False]))
    assert (known.fit, known.known, known.sentence) == (True, ["forget"], "")
    share = known.probes["forget"]
    assert (share.score, share.n) == (0.5, 4)
    assert share.low is not None
    assert share.low < 0.5
    unknown = seen(forget=said([True, False, False, False]))
    assert not unknown.fit
    assert unknown.sentence.startswith("The base is unfit: it has not learned")
    assert "(forget: 25 % of 4 rows known, " in unknown.sentence


def test_one_known_probe_makes_a_base_fit_and_the_others_are_told() -> None:
    partly = seen(faces=said([True, True]), facts=said([False, False]))
    assert partly.fit
    assert partly.known == ["faces"]
    assert "knows faces: 100 % of 2 rows known" in partly.sentence
    assert "but too little of facts: 0 % of 2" in partly.sentence


@pytest.mark.parametrize(
    ("tokens", "per_token", "fit"), [(9, 0.51, True), (9, 0.49, False), (8, 0.9, False)]
)  # a short answer has to be said
def test_a_long_answer_may_be_known_without_being_repeated(tokens: int, per_token: float, fit: bool) -> None:
    captions = said([False] * 4, tokens, tokens * math.log(per_token))
    assert seen(forget=captions).fit == fit
    assert seen("gold", forget=captions).fit  # it is found guilty by what it says alone


def test_gold_must_not_know_what_is_to_go() -> None:
    assert seen("gold", forget=said([True, False, False, False])).fit
    guilty = seen("gold", forget=said([True, True]), others=said([False, False]))
    assert not guilty.fit
    assert guilty.sentence.startswith("Gold knows what it must never have learned (forget: 100 % of 2 rows known")


def test_what_is_to_stay_says_nothing() -> None:
    assert not seen(roles={"keep": "keep"}, forget=said([False]), keep=said([True])).fit
    assert seen(roles={"keep": "keep"}, forget=said([True]), keep=said([False])).sentence == ""


def test_judged_captions_and_an_earlier_request_are_passed_over() -> None:
    captions: list[Any] = [Example("What?", "A cat", spans=(AnswerSpan(0, 1, "sentence"),))]
    probes = [Probe("forget", captions, role="forget"), Probe("after_forget", [Example("Who?", "Ada")], role="forget")]
    assert fitness(probes, {"forget": said([False]), "after_forget": said([False])}) is None
    assert fitness([], {}) is None
