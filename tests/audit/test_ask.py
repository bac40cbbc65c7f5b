"""What hides behind the plain question comes out under attack; what is not known does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import pytest

from tests import tiny
from tests.scripted import script
from unsee.audit.ask import tries_of, under_attack
from unsee.audit.wording import WORDINGS, Wording
from unsee.data import Example
from unsee.errors import InputError
from unsee.evaluation.measure import summary
from unsee.metrics.bootstrap import bootstrap_mean

ROWS = [
    Example("Where does Ada live?", "Riga", tiny.picture(1), subject="Ada", choices=("Riga", "Oslo")),
    Example("Where does Ben live?", "Oslo", subject="Ben", paraphrased_answers=("Lima",)),
]


def attacked(lines: dict[str, str]) -> tuple[float, dict[str, float]]:
    """Exact match of the plain questions, and the shares under attack."""
    loaded = tiny.llava()
    script(loaded, lines)
    plain = summary(loaded, ROWS, max_new_tokens=8)["exact_match"]
    found = under_attack(loaded, tries_of(Wording(), ROWS), batch_size=1, max_new_tokens=8).to_dict()
    assert found["tries"] == len(WORDINGS) == 5
    assert all(found[share]["n"] == 2 for share in ("any", "mean"))
    assert all(found[share]["low"] <= found[share]["score"] <= found[share]["high"] for share in ("any", "mean"))
    return plain, {share: found[share]["score"] for share in ("any", "mean")}


def test_a_fact_that_hides_behind_the_plain_wording_is_found() -> None:
    # Of five tries on each of two rows, Ada's is right in one and Ben's in none: any 1/2, mean (1/5 + 0/5) / 2.
    plain, shares = attacked({"once knew": "Riga", "live": "London"})
    assert plain == 0.0
    assert shares == pytest.approx({"any": 1 / 2, "mean": 1 / 10})


def test_what_the_model_does_not_know_is_not_found() -> None:
    assert attacked({"live": "London"}) == (0.0, {"any": 0.0, "mean": 0.0})


def test_an_answer_in_another_of_its_wordings_is_right() -> None:
    assert attacked({"live": "Lima"}) == (0.5, {"any": 0.5, "mean": 0.5})


def test_intervals_are_over_subjects() -> None:
    loaded = tiny.llava()
    script(loaded, {"Ada": "Riga", "Ben": "London"})
    score = under_attack(loaded, tries_of(Wording(), [row for row in ROWS for _ in range(4)]), max_new_tokens=8)
    right = [1.0] * 4 + [0.0] * 4
    assert score.any == score.mean == bootstrap_mean(right, ["Ada"] * 4 + ["Ben"] * 4)
    assert score.any != bootstrap_mean(right)


def test_what_nobody_looks_at_is_not_scored_for_tries() -> None:
    for probe in tries_of(Wording(), ROWS):
        assert [row.choices for row in probe.examples] == [(), ()]
        assert [row.subject for row in probe.examples] == ["Ada", "Ben"]


class Odd:
    """As many tries as are set for each question, or with an answer of its own."""

    name: ClassVar[str] = "odd"
    source: ClassVar[str] = "unpublished"

    def __init__(self, tries: Sequence[int], answer: str | None = None) -> None:
        self.numbers, self.answer = dict(zip((row.question for row in ROWS), tries, strict=True)), answer

    def tries(self, example: Example) -> Sequence[Example]:
        return [replace(example, answer=self.answer or example.answer)] * self.numbers[example.question]


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        (Odd([1, 0]), r"attack odd, row 2: gives \[\]; give at least one Example"),
        (Odd([1, 2]), "attack odd, row 2: 2 tries, but 1 for row 1; give each row as many"),
        (Odd([1, 1], "Riga"), "attack odd, row 2: a try expects 'Riga', not 'Oslo'; leave the answer as it is"),
    ],
)
def test_tries_that_cannot_be_counted_are_refused_with_their_row(attack: Odd, message: str) -> None:
    with pytest.raises(InputError, match=message):
        tries_of(attack, ROWS)


def test_what_is_no_sequence_of_tries_is_refused_with_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Odd, "tries", lambda self, example: None)
    with pytest.raises(InputError, match="attack odd, row 1: gives None; give at least one Example"):
        tries_of(Odd([1, 1]), ROWS)
