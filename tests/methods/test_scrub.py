"""SCRUB: when it disobeys its teacher, and when it obeys."""

from __future__ import annotations

from math import log
from typing import Any

import pytest

from tests.losses import worked
from tests.methods.test_terms import Scripted, roles
from unsee.methods import build

# KL(teacher || student) of the forget rows.
#   row 0: teacher (1/2, 1/4, 1/4), student (1/3, 1/3, 1/3): ln(3/2) / 2 + ln(3/4) / 2
#   row 1: teacher (1/3, 1/3, 1/3), student (1/4, 1/4, 1/2): [2 ln(4/3) + ln(2/3)] / 3
KL_FORGET = (log(1.5) / 2 + log(0.75) / 2 + log(32 / 27) / 3) / 2
OBEYS = worked.KL_RETAIN_SUM / 2 + worked.CE_RETAIN


def terms_at(epoch: int, **values: Any) -> dict[str, float]:
    terms = build("scrub", values).terms(roles(epoch=epoch), Scripted("policy"), Scripted("reference"))
    return {term.name: term.value.item() for term in terms}


def test_min_and_max_epochs_take_turns_until_the_last_max_epoch() -> None:
    found = ["+".join(terms_at(epoch, max_epochs=2)) for epoch in range(7)]
    assert found == ["retain", "forget", "retain", "forget", "retain", "retain", "retain"]
    assert all("forget" not in terms_at(epoch, max_epochs=0) for epoch in range(4))


def test_a_turn_is_away_from_the_teacher_or_towards_it() -> None:
    assert terms_at(0) == pytest.approx({"retain": OBEYS}, abs=1e-9)
    assert terms_at(1) == pytest.approx({"forget": -KL_FORGET}, abs=1e-9)


def test_the_joint_step_is_both_at_any_time() -> None:
    for epoch in (0, 1, 9):
        assert terms_at(epoch, schedule="joint") == pytest.approx({"forget": -KL_FORGET, "retain": OBEYS}, abs=1e-9)


def test_divergence_and_answers_have_weights_of_their_own() -> None:
    found = terms_at(0, kl_weight=3.0, retain_weight=0.5)["retain"]
    assert found == pytest.approx(3 * worked.KL_RETAIN_SUM / 2 + 0.5 * worked.CE_RETAIN, abs=1e-9)
