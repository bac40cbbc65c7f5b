# ruff: noqa: RUF001 (letters of other scripts look like ours)
"""POPE: yes/no questions about objects that are or are not in a picture (Li et al. 2023, arXiv 2305.10355).

"Yes" is the positive class. A model that always says yes reaches an F1 of 2/3 on balanced questions, so the share of
yes among its *answers* stands beside it.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from unsee.metrics.words import words as script_words

YesNo = Literal["yes", "no"]
Parser = Callable[[str], YesNo | None]

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_OPENING_YES = frozenset({"yes", "yeah", "yep", "yup"})
_OPENING_NO = frozenset({"no", "nope"})
_YES = _OPENING_YES | {"indeed", "certainly", "definitely", "true", "correct"}
_NO = _OPENING_NO | {"not", "none", "never", "neither", "nothing", "cannot", "without", "absent", "false", "incorrect"}
# German, French, Spanish, Portuguese, Italian, Dutch, Scandinavian, Polish, Turkish, Vietnamese, Indonesian; Russian,
# Ukrainian, Greek, Hebrew, Arabic, Persian, Hindi, Korean. As NFKC and casefold leave them.
_YES_ELSEWHERE = """
ja oui si sí sì sim tak evet có ya да так ναι כן نعم بله हाँ हां 네 예
"""
_NO_ELSEWHERE = """
nein non não nao nee nej nei nie hayır hayir không tidak нет ні όχι לא لا نه خیر नहीं 아니요 아니오 아뇨
"""
_ELSEWHERE: dict[YesNo, frozenset[str]] = {
    "yes": frozenset(_YES_ELSEWHERE.split()),
    "no": frozenset(_NO_ELSEWHERE.split()),
}
_TOGETHER: dict[YesNo, tuple[str, ...]] = {  # Chinese, Japanese, Thai
    "no": ("不", "没", "沒", "否", "无", "いいえ", "ไม่"),
    "yes": ("是", "有", "对", "對", "はい", "ええ", "ใช่", "มี"),
}
_PRESENT = re.compile(
    r"\b(?:there (?:is|are)|there's|it (?:is|does)|(?:i|we|you) (?:can )?see|(?:is|are) (?:visible|present))\b"
)
_UNSURE = re.compile(
    r"\b(?:maybe|perhaps|possibly|unclear|unsure|uncertain)\b"
    r"|\b(?:not|cannot|can't|don't|unable to|difficult to|hard to)\W+(?:\w+\W+)?"
    r"(?:sure|certain|know|tell|say|determine|clear)\b"
)


def official_answer(said: str) -> YesNo:
    """Yes or no by the rule of POPE's evaluation script.

    Up to the first full stop, commas removed, split at spaces: "no" if one of the pieces is "No", "no" or "not", else
    "yes". So "NO", "I don't know" and "" are all "yes": quote the tolerant reading beside it for talkative models.
    """
    pieces = said.split(".", maxsplit=1)[0].replace(",", "").split(" ")
    return "no" if {"No", "no", "not"} & set(pieces) else "yes"


def tolerant_answer(said: str) -> YesNo | None:
    """Yes or no as a reader would take it; None if the answer is neither.

    Upper and lower case are one. An opening yes or no word decides, in English or one of the languages of
    `_ELSEWHERE`. Else the first sentence does: an admission of not knowing ("I cannot tell", "maybe") is neither; a
    negation ("not", "none", "isn't") is no; a yes word or a statement that something is there ("there is", "I see") is
    yes; anything else is neither, as is whatever is said in another language without a yes or no in front. Only whole
    words count: "another" holds no "no".
    """
    text = unicodedata.normalize("NFKC", said).casefold().replace("\u2019", "'").strip()
    if (opening := _opening(text)) is not None:
        return opening
    sentence = re.split(r"[.!?\n]", text.lstrip(".!? "), maxsplit=1)[0]
    words = _WORD.findall(sentence)
    if _UNSURE.search(sentence):
        return None
    if any(word in _NO or word.endswith("n't") for word in words):
        return "no"
    return "yes" if _PRESENT.search(sentence) or _YES & set(words) else None


def _opening(text: str) -> YesNo | None:
    """What the first word says."""
    words = [word for word in script_words(text) if not word.isdecimal()]
    if not words:
        return None
    first: YesNo
    for first, known in (("no", _OPENING_NO), ("yes", _OPENING_YES)):
        if words[0] in known or words[0] in _ELSEWHERE[first]:
            return first
    start = text[text.index(words[0]) :]  # words that are written together have no first one
    return next((answer for answer, opening in _TOGETHER.items() if start.startswith(opening)), None)


PARSERS: dict[str, Parser] = {"official": official_answer, "tolerant": tolerant_answer}


@dataclass(frozen=True, slots=True)
class Pope:
    """Counts of answers, and the rates that follow from them, each in [0, 1]."""

    true_yes: int
    false_yes: int
    true_no: int
    false_no: int
    undecided_yes: int = 0  # neither yes nor no where yes is right
    undecided_no: int = 0

    @property
    def n(self) -> int:
        """Number of questions."""
        return self.true_yes + self.false_yes + self.true_no + self.false_no + self.undecided_yes + self.undecided_no

    @property
    def accuracy(self) -> float:
        """Share of right answers; an undecided answer is wrong. NaN without questions."""
        return _rate(self.true_yes + self.true_no, self.n)

    @property
    def precision(self) -> float:
        """Share of yes answers that are right; NaN if the model never says yes."""
        return _rate(self.true_yes, self.true_yes + self.false_yes)

    @property
    def recall(self) -> float:
        """Share of questions to be answered by yes that are; NaN if there are none."""
        return _rate(self.true_yes, self.true_yes + self.false_no + self.undecided_yes)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN), which is 0 for a model that never says yes; NaN if nothing is yes on either side."""
        missed = self.false_no + self.undecided_yes
        return _rate(2 * self.true_yes, 2 * self.true_yes + self.false_yes + missed)

    @property
    def yes_ratio(self) -> float:
        """Share of *answers* that are yes, whatever the labels are; NaN without questions."""
        return _rate(self.true_yes + self.false_yes, self.n)


def pope(answers: Sequence[YesNo | None], labels: Sequence[YesNo]) -> Pope:
    """Scores of parsed answers.

    Args:
        answers: of the model, parsed; None where it decided nothing.
        labels: the right answers, the same length.

    Raises:
        ValueError: lengths differ.
    """
    if len(answers) != len(labels):
        raise ValueError(f"{len(answers)} answers to {len(labels)} questions; give one answer for each")
    pairs = list(zip(answers, labels, strict=True))
    return Pope(
        true_yes=pairs.count(("yes", "yes")),
        false_yes=pairs.count(("yes", "no")),
        true_no=pairs.count(("no", "no")),
        false_no=pairs.count(("no", "yes")),
        undecided_yes=pairs.count((None, "yes")),
        undecided_no=pairs.count((None, "no")),
    )


def _rate(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
