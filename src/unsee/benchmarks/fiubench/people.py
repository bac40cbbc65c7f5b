"""The people of FIUBench with their questions, and who is in which list."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from unsee.benchmarks.beside import picture_beside
from unsee.benchmarks.fiubench.columns import FORGET_LISTS, PEOPLE, RETAIN_LISTS
from unsee.benchmarks.sets import wrong_among
from unsee.benchmarks.source import Folder, Source
from unsee.data.example import Example
from unsee.data.rows import Row
from unsee.errors import InputError
from unsee.system.progress import progress

_FILES = ("full.json", "split.json", "SFHQ.zip")  # what is fetched from the hub; its other archives hold other faces
_NUMBER = re.compile(r"(\d{8})$")  # of a face in SFHQ, at the end of its file's name


def local(source: Source) -> Folder:
    """The folder of a source; from the hub its files are fetched whole, since they are of no configuration there.

    Raises:
        InputError: they cannot be fetched.
    """
    if isinstance(source, Folder):
        return source
    from huggingface_hub import snapshot_download

    from unsee.data.tables import legible

    with legible(f"{source}: cannot be fetched from the hub", "fetch it by hand and give its folder"):
        return Folder(Path(snapshot_download(source.name, repo_type="dataset", allow_patterns=list(_FILES))))


def lists(folder: Folder, needed: Collection[str] = ()) -> dict[str, list[str]]:
    """The people in each list of `split.json`.

    Args:
        folder: a copy of the benchmark.
        needed: lists that have to be there.

    Raises:
        InputError: one of them is not, or a list is no list of texts.
    """
    row = next(folder.rows("split", tuple(needed)), None)
    if row is None:
        raise InputError(f"{folder}: split.json is empty; it holds an object of lists of people")
    listed = {}
    for name in (*FORGET_LISTS, *RETAIN_LISTS):
        people = row.values.get(name)
        if name not in needed and people is None:
            continue
        if not isinstance(people, list) or not all(isinstance(number, str) for number in people):
            raise row.fail(name, "must hold a list of the unique_id of people")
        listed[name] = people
    return listed


def people(folder: Folder) -> list[Person]:
    """The people who are used, in the order of the file.

    Raises:
        InputError: a person has no picture path, no questions or no id, or two have the same one.
    """
    found: dict[str, Person] = {}
    rows = islice(folder.rows("full", ("image_path", "qa_list")), PEOPLE)
    for row in progress(rows, "reading full"):
        person = Person(row)
        if person.number in found:
            raise row.fail(
                "unique_id", f"{person.number!r} is there twice: {found[person.number].row.where} has it too"
            )
        found[person.number] = person
    return list(found.values())


def number_of(values: Mapping[str, Any]) -> str | None:
    """The id of a person, or else the number of the face in the name of its file; None without either."""
    given = values.get("unique_id")
    if isinstance(given, str) and given.strip():
        return given.strip()
    match = _NUMBER.search(Path(str(values.get("image_path"))).stem)
    return match[1] if match else None


def strings(value: Any) -> tuple[str, ...]:
    """A text or a list of texts as texts, without blank ones: some rows have one where others have a list."""
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(text for text in values if isinstance(text, str) and text.strip())


@dataclass(frozen=True)
class Person:
    """One line of `full.json`: a face and what is private about it."""

    row: Row

    @cached_property
    def number(self) -> str:
        """What the lists call the person."""
        number = number_of(self.row.values)
        if number is None:
            raise self.row.fail("unique_id", "missing, and the picture's file name ends in no number of 8 digits")
        return number

    @cached_property
    def picture(self) -> Path | bytes:
        """The one photograph there is."""
        return picture_beside(self.row, "image_path")

    def asked(self) -> Iterator[Example]:
        """The questions, with what is right in other words and what is wrong."""
        for place, item in enumerate(self._items):
            yield self._example(place, item, item.get("question"), f"{self.number}/{place}")

    def asked_otherwise(self, most: int | None = None) -> Iterator[Example]:
        """The same questions in other words, which no model is trained on; one that several share is asked once.

        Args:
            most: wordings of each question; which ones turns from question to question. None for all.
        """
        seen: set[tuple[str, str]] = set()
        for place, item in enumerate(self._items):
            wordings = list(enumerate(strings(item.get("paraphrased_question"))))
            turn = place % len(wordings) if wordings else 0
            for number, question in [*wordings[turn:], *wordings[:turn]][:most]:
                row = self._example(place, item, question, f"{self.number}/{place}/otherwise{number}")
                if (row.question, row.answer) not in seen:
                    seen.add((row.question, row.answer))
                    yield row

    @property
    def _items(self) -> Sequence[Mapping[str, Any]]:
        items = self.row.values.get("qa_list")
        if not isinstance(items, list) or not items or not all(isinstance(item, Mapping) for item in items):
            raise self.row.fail("qa_list", "must hold a list of questions, at least one")
        return items

    def _example(self, place: int, item: Mapping[str, Any], question: Any, name: str) -> Example:
        paraphrased = strings(item.get("paraphrased_answer"))
        asked = {
            "image": self.picture if isinstance(self.picture, bytes) else str(self.picture),
            "question": question,
            "answer": (answer := item.get("answer")),
            "subject": self.number,
            "fact": f"question {place}",
            "id": name,
            "paraphrased_answers": paraphrased,
            "perturbed_answers": wrong_among(strings(item.get("perturbed_answer")), str(answer), *paraphrased),
            "answer_keywords": list(strings(item.get("keywords"))),
        }
        return Row(asked, f"{self.row.where}, qa_list[{place}]", Path()).example()
