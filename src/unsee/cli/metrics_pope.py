"""What `unsee metrics pope` reads and prints: questions, and answers that are matched to them by identity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unsee.cli.metrics_rows import string
from unsee.errors import InputError, one_of, quoted
from unsee.metrics.pope import PARSERS, YesNo, pope
from unsee.system.files import numbered_jsonl


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question, by what it can be known by."""

    id: str | None
    image: str | None
    text: str
    label: YesNo


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer, and where it stands."""

    where: str
    row: Mapping[str, Any]

    @property
    def id(self) -> str | None:
        return _id(self.row)


def pope_scores(questions: Path, answers: Path, parser: str = "official") -> dict[str, Any]:
    """What `unsee metrics pope` prints: rates in [0, 1]; `yes_ratio` is that of the answers.

    Where questions and answers have a `question_id` (or `id`), answers are matched by it, in whatever order they come;
    else they come in the order of the questions. What an answer repeats of its question has to be that question's.

    Raises:
        InputError: a file is broken, the files do not belong together, or the parser is unknown.
    """
    read_answer = PARSERS[one_of("--parser", parser, tuple(PARSERS))]
    asked = [_question(row, f"{questions}, line {number}") for number, row in numbered_jsonl(questions)]
    if not asked:
        raise InputError(f"{questions}: holds no questions; each line is an object with text and label")
    rows = [_Answer(f"{answers}, line {number}", row) for number, row in numbered_jsonl(answers)]
    if len(rows) != len(asked):
        raise InputError(
            f"{answers}: {len(rows)} answers, but {questions} has {len(asked)} questions; give one for each"
        )
    have_ids = None not in {question.id for question in asked} | {answer.id for answer in rows}
    matched = _by_id(asked, rows, questions) if have_ids else rows
    parsed = []
    for question, answer in zip(asked, matched, strict=True):
        _check_repeated(question, answer)
        parsed.append(read_answer(string(answer.row, "answer", answer.where)))
    result = pope(parsed, [question.label for question in asked])
    return {name: getattr(result, name) for name in ("accuracy", "precision", "recall", "f1", "yes_ratio")}


def _by_id(asked: Sequence[_Asked], rows: Sequence[_Answer], questions: Path) -> list[_Answer]:
    """The answer to each question; there are as many."""
    known = Counter(question.id for question in asked)
    twice, times = known.most_common(1)[0]
    if times > 1:
        raise InputError(f"{questions}: id {twice} stands there {times} times; every question has one of its own")
    answers: dict[str | None, _Answer] = {}
    for answer in rows:
        if answer.id not in known:
            raise InputError(f"{answer.where}: id {answer.id} is not in {questions}; answer what is asked")
        if answer.id in answers:
            raise InputError(f"{answer.where}: id {answer.id} has an answer already ({answers[answer.id].where})")
        answers[answer.id] = answer
    return [answers[question.id] for question in asked]


def _check_repeated(question: _Asked, answer: _Answer) -> None:
    """InputError where an answer names another question or picture than the one that it is matched with."""
    prompt, image = answer.row.get("question"), answer.row.get("image")
    if prompt is not None and question.text.casefold() not in str(prompt).casefold():
        raise InputError(
            f"{answer.where}: answers {quoted(prompt)} where {question.text!r} is asked; keep the questions' order, or "
            "give both files a question_id"
        )
    if None not in (image, question.image) and str(image) != question.image:
        raise InputError(
            f"{answer.where}: answers about {quoted(image)} where {question.image!r} is shown; keep the questions' "
            "order, or give both files a question_id"
        )


def _question(row: Mapping[str, Any], where: str) -> _Asked:
    label = row.get("label")
    if label not in ("yes", "no"):
        raise InputError(f"{where}: label is {quoted(label)}; it is 'yes' or 'no'")
    image = row.get("image")
    return _Asked(_id(row), None if image is None else str(image), string(row, "text", where), label)


def _id(row: Mapping[str, Any]) -> str | None:
    value = row.get("question_id", row.get("id"))
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else None
