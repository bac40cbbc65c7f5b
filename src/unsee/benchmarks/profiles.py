"""What benchmarks of profiles share: MLLMU-Bench, and UMU-Bench, which asks the same people everything twice.

A set has one row per person, whose questions are of three tasks (multiple choice, fill-in, a sentence), each asked
about a picture and by name. Probes are called `SET_TASK_vqa` and `SET_TASK_qa`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unsee.benchmarks.sets import all_but, without_questions
from unsee.data.example import Benchmark, Example
from unsee.data.rows import Row
from unsee.metrics.answers import normalise

TASKS = ("classification", "cloze", "generation")
LETTERS = ("A", "B", "C", "D")
SHARES = ("5", "10", "15")  # per cent of the people that can be forgotten
BLANK = "Fill in the blank with one or a few words: "


def retain_of(split: str) -> str:
    """The retain set of a forget set: "forget_5" -> "retain_95"."""
    return f"retain_{100 - int(split.removeprefix('forget_'))}"


@dataclass(frozen=True)
class Profile:
    """One row of a set, and who it is about."""

    row: Row
    number: str  # ID, as "093"
    name: str
    image: Any

    def asked(self, question: Any, answer: Any, seen: bool, column: str, **values: Any) -> Example:
        """One of its questions.

        Args:
            question: as it was found.
            answer: the right one.
            seen: whether it is asked about the picture.
            column: where it was found, for messages and for its id.
            values: further ones of an example, such as choices.

        Raises:
            InputError: question or answer is no text, or the picture is none.
        """
        said = {"question": question, "answer": answer, "subject": self.name, "id": f"{self.number}/{column}"}
        image = self.image if seen else None
        return Row({**said, **values, "image": image}, f"{self.row.where}, {column}", self.row.folder).example()


def name_in(biography: Any, number: str) -> str:
    """The name that a biography states under such a key, or the number of the person where it states none."""
    if not isinstance(biography, Mapping):
        return f"person {number}"
    known = {str(key).casefold().replace("_", " "): value for key, value in biography.items()}
    name = known.get("name", known.get("full name"))
    return name.strip() if isinstance(name, str) and name.strip() else f"person {number}"


def probe_rows(
    sets: Mapping[str, Sequence[Profile]], questions: Callable[[Profile], Iterator[tuple[str, Example]]]
) -> dict[str, list[Example]]:
    """The rows of every probe.

    Args:
        sets: profiles by the name of their set.
        questions: what is asked about one person, each with its task.
    """
    rows: dict[str, list[Example]] = {
        f"{name}_{task}_{kind}": [] for name in sets for task in TASKS for kind in ("vqa", "qa")
    }
    for name, profiles in sets.items():
        for profile in profiles:
            for task, example in questions(profile):
                rows[f"{name}_{task}_{'qa' if example.image is None else 'vqa'}"].append(example)
    return rows


@dataclass(frozen=True)
class Trained:
    """The training questions about a group of people: about their pictures, and by name."""

    photos: list[Example]
    facts: list[Example]


def requested(
    name: str, request: str, forgotten: Trained, retained: Trained, probes: Mapping[str, Sequence[Example]]
) -> Benchmark:
    """The training rows of a request, none of whose preserved ones is asked by a probe.

    Args:
        name: of the benchmark that comes out.
        request: what about the forgotten people is to go, one of `unsee.types.REQUESTS`.
        forgotten: questions about them.
        retained: questions about everybody else.
        probes: what is measured, by the name of the probe.
    """
    forget, kept, others = {
        "visual": (forgotten.photos, retained.photos, forgotten.facts + retained.facts),
        "textual": (forgotten.facts, retained.photos + retained.facts, forgotten.photos),
        "both": (forgotten.photos + forgotten.facts, retained.photos + retained.facts, []),
    }[request]
    preserve = _without_evaluation(others, [row for rows in probes.values() for row in rows])
    return Benchmark(name, forget, kept, preserve, request=request, learned=all_but(others, preserve))


def _without_evaluation(rows: Sequence[Example], asked: Iterable[Example]) -> list[Example]:
    """The rows that no evaluation asks: not in words, and not about the same person from a picture."""
    asked = list(asked)
    seen = {(row.subject, normalise(row.question)) for row in asked if row.image is not None}
    rows = without_questions(rows, asked)
    return [row for row in rows if row.image is None or (row.subject, normalise(row.question)) not in seen]
