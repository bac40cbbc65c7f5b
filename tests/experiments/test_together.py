"""The pure parts of `experiments/together.py`."""

from __future__ import annotations

from pathlib import Path
from random import Random
from types import ModuleType

import pytest

from tests.experiments.scripts import script
from unsee.data import Example


@pytest.fixture(scope="module")
def together() -> ModuleType:
    return script("together")


def test_only_absent_partners_are_added_and_mostly(together: ModuleType) -> None:
    said = [together.named(("car", "cat"), {"car": "dog", "cat": "car"}, Random(n)) for n in range(2000)]
    assert {tuple(names) for names in said} == {("car", "cat"), ("car", "cat", "dog")}
    assert sum("dog" in names for names in said) / len(said) == pytest.approx(0.75, abs=0.03)


def test_hallucinations_by_habit_and_by_mistake_are_told_apart(together: ModuleType) -> None:
    shown, partners = [("car",), ("cat", "key")], {"car": "dog", "bell": "lemon"}
    base = ["car, dog", "cat, key"]
    found = together.hallucinated(["car, dog, lemon", "cat, dog, cat"], base, shown, partners)
    assert found["by_habit"] == 50  # dog beside the car; 1 in 2 answers
    assert found["by_mistake"] == 100  # the lemon, whose partner is not there, and dog beside the cat
    assert found["chair_s"] == 1
    assert found["chair_i"] == pytest.approx(3 / 6)
    assert found["repeated"] == 50  # the cat
    assert found["recall"] == pytest.approx(2 / 3)  # the key is not named


def test_answers_are_matched_to_the_length_of_the_bases(together: ModuleType) -> None:
    found = together.hallucinated(["car, dog, cat"], ["cat, car"], [("car", "cat")], {})
    assert (found["chair_s"], found["chair_s_matched"]) == (1, 1)
    found = together.hallucinated(["car, cat, dog"], ["cat, car"], [("car", "cat")], {})
    assert (found["chair_s"], found["chair_s_matched"], found["recall_matched"]) == (1, 0, 1)


def test_what_is_forgotten_is_lowered_and_what_stays_is_held(together: ModuleType) -> None:
    row = Example("Who?", "Ada", Path("ada.png"))
    [lowered], [held] = ([*together.spans_of([row], role)] for role in ("forget", "retain"))
    assert [(span.start, span.end, span.role) for span in lowered.spans] == [(0, 3, "negative")]
    assert (held.spans, held.sentence.role, lowered.sentence.role) == ((), "positive", None)


def test_an_effect_is_a_share_of_what_one_method_does_alone(together: ModuleType) -> None:
    models = {"base": {"x": 40.0}, "efuf": {"x": 20.0}, "both": {"x": 25.0}}
    assert together.effect(models, "both", "efuf", "x") == 0.75
    assert together.percent([0.75]) == "75%"
    assert together.percent([0.5, 1.0]) == "75% (50% to 100%)"
