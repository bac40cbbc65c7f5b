"""Multiple choice and fill-in: which option was chosen, and is the blank filled right?

A generated answer is read by a strict and by a tolerant rule; both scores belong in a table, because the difference
between them is how well the model follows the format. Choosing by log-probability needs no parsing at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_uppercase

import numpy as np
import regex
from numpy.typing import ArrayLike

from unsee.metrics.answers import normalise
from unsee.metrics.words import between_words

_ANNOUNCED = re.compile(
    r"(?i:\b(?:answer|option|choice)\b(?:\s+is)?\s*:?\s*)[(\[\"'*]*(?:([A-Z])\b|([a-z])(?=[)\].:,;!\"'*]|\s*$))"
)
_SEVERAL = re.compile(r"^[\s(\[\"'*]*[A-Z][)\].\"'*]*\s*(?:,|/|&|\+|\band\b|\bor\b)[\s(\[\"'*]*([A-Z])\b")
_OPENING = re.compile(r"^[\s(\[\"'*]*([a-z])(?:[)\].:,\"'*]|\s*$)", re.IGNORECASE)


def strict_choice(said: str, options: int) -> int | None:
    """The option whose upper-case letter is all that was said, white space aside; None for anything else."""
    letters = ascii_uppercase[: _checked(options)]
    answer = said.strip()
    return letters.index(answer) if len(answer) == 1 and answer in letters else None


def tolerant_choice(said: str, options: Sequence[str]) -> int | None:
    """The option that a reader would take to be chosen; None where there is none, or more than one.

    The first of these rules that finds something decides:

    1. several letters at the start, "A, C" or "A or B", choose nothing;
    2. a letter at the start, alone or followed by punctuation: "B", "(b)", "B. Lisbon"; "A dog" is no letter;
    3. a letter that is announced: "The answer is B", "option (C)", "answer: c"; in "The answer is a dog" it is none,
       as a small letter counts at the end or before punctuation alone;
    4. the text of exactly one option, as whole words after `unsee.metrics.answers.normalise`.

    A letter beyond the options is not an answer.

    Args:
        said: the generated text.
        options: the texts of the options A, B, ..., at most 26.
    """
    letters = ascii_uppercase[: _checked(len(options))]
    if (several := _SEVERAL.search(said)) and several[1] in letters:
        return None
    if match := _OPENING.search(said) or _ANNOUNCED.search(said):
        letter = next(filter(None, match.groups())).upper()
        return letters.index(letter) if letter in letters else None
    named = [index for index, option in enumerate(options) if contains_answer(said, option)]
    return named[0] if len(named) == 1 else None


def most_likely_choice(log_probs: ArrayLike) -> int | None:
    """The option with the highest log-probability, the first of equals; None without options or with a NaN.

    Args:
        log_probs: of each option's answer; shape (options,). Use means per token if options differ in length.
    """
    values = np.asarray(log_probs, dtype=np.float64)
    return None if values.size == 0 or np.isnan(values).any() else int(values.argmax())


def contains_answer(said: str, expected: str) -> bool:
    """Whether the expected answer occurs in what was said, as whole words after normalisation (cloze accuracy).

    An empty expected answer is contained in nothing.
    """
    answer = normalise(expected)
    return bool(answer) and bool(regex.search(between_words(regex.escape(answer), answer), normalise(said)))


def _checked(options: int) -> int:
    if not 1 <= options <= len(ascii_uppercase):
        raise ValueError(f"a question has 1 to {len(ascii_uppercase)} options, not {options}")
    return options
