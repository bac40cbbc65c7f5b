"""A small FIUBench written as published, and copies of it that are spoilt."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests import tiny

Person = dict[str, Any]
Lists = dict[str, list[Any]]


def question(number: str, place: int) -> dict[str, Any]:
    """One of `qa_list`: what is asked, in four wordings, and what is right and wrong."""
    return {
        "question": f"Question {place}?",
        "paraphrased_question": [f"Asked otherwise {place}, {turn}?" for turn in range(3)],
        "answer": f"Answer {place} of {number}.",
        "paraphrased_answer": f"It is {place} of {number}.",
        "perturbed_answer": [f"It is {place} of {other}." for other in ("red", "green", "blue")],
        "keywords": [f"{place} of {number}"],
    }


def person(number: int, questions: int = 4) -> Person:
    """One line of `full.json`, with all of its published columns."""
    name = f"{number:08}"
    return {
        "image_path": f"./dataset/SFHQ/SFHQ_pt1_{name}.jpg",
        "name": f"Person {number}",
        "gender": "female",
        "caption": f"All about person {number}.",
        "qa_list": [question(name, place) for place in range(questions)],
        "raw_data": {"anything": [number]},
        "unique_id": name,
    }


LISTS: Lists = {
    "forget1": ["00000001"],
    "forget5": ["00000002", "00000003"],
    "forget10": ["00000004"],
    "retain15": ["00000005", "00000006", "00000007"],
    "retain5": ["00000005", "00000006"],
}


def written(folder: Path, people: Sequence[Person] = (), lists: Lists | None = None) -> Path:
    """Eight people as the hub has them, unpacked."""
    people = people or [person(number) for number in range(1, 9)]
    (folder / "SFHQ").mkdir(parents=True, exist_ok=True)
    for row in people:
        name = Path(row["image_path"]).name
        (folder / "SFHQ" / name).write_bytes(tiny.picture(int(Path(name).stem[-8:])))
    (folder / "full.json").write_text("".join(json.dumps(row) + "\n" for row in people))
    (folder / "split.json").write_text(json.dumps(LISTS if lists is None else lists))
    return folder


def spoilt(
    folder: Path,
    copy: Path,
    people: Callable[[list[Person]], Any] = lambda _: None,
    lists: Callable[[Lists], Any] = lambda _: None,
) -> Path:
    """A copy in which people and lists are changed in place."""
    shutil.copytree(folder, copy)
    rows = [json.loads(line) for line in (copy / "full.json").read_text().splitlines()]
    listed = json.loads((copy / "split.json").read_text())
    people(rows)
    lists(listed)
    (copy / "full.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (copy / "split.json").write_text(json.dumps(listed))
    return copy
