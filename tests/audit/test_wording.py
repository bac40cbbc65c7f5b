"""The wordings ask the same question of the same picture."""

from __future__ import annotations

from dataclasses import replace

from tests import tiny
from unsee.audit.wording import WORDINGS, Wording
from unsee.data import Example


def test_each_wording_holds_the_question_as_it_is_and_changes_nothing_else() -> None:
    example = Example("Where does {Ada} live?", "Riga", tiny.picture(1), subject="Ada", fact="city")
    tries = Wording().tries(example)
    assert len({asked.question for asked in tries}) == len(WORDINGS)
    for asked in tries:
        assert asked.question.count(example.question) == 1
        assert asked.question != example.question
        assert replace(asked, question=example.question) == example
    assert tries == Wording().tries(example)
