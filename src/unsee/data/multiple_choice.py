"""Multiple-choice questions as a model is asked them: the one place where options get their letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from string import ascii_uppercase

from unsee.data.example import Example
from unsee.errors import InputError

INSTRUCTION = "Answer with the letter of the right option alone."


def multiple_choice_question(question: str, options: Sequence[str]) -> str:
    """The question with its options under it as "A. ...", in their order, and the request for a letter.

    Raises:
        InputError: no option, or more than there are letters.
    """
    if not 1 <= len(options) <= len(ascii_uppercase):
        raise InputError(
            f"question {question[:60]!r} has {len(options)} choices; give 1 to {len(ascii_uppercase)}, one a letter"
        )
    lines = (f"{letter}. {option}" for letter, option in zip(ascii_uppercase, options, strict=False))
    return "\n".join([question, *lines, INSTRUCTION])


def multiple_choice(example: Example) -> Example:
    """An example with choices as a question whose answer is a letter.

    Choices stay in the order of the data. A model that always says "A" is right as often as data put the truth first,
    so data should not always put it there.

    Raises:
        InputError: as for `multiple_choice_question`, or the answer is not among the choices.
    """
    if example.answer not in example.choices:
        raise InputError(
            f"question {example.question[:60]!r}: the answer {example.answer[:60]!r} is not among its choices"
        )
    return replace(
        example,
        question=multiple_choice_question(example.question, example.choices),
        answer=ascii_uppercase[example.choices.index(example.answer)],
        paraphrased_answers=(),
        perturbed_answers=(),
        choices=(),
    )
