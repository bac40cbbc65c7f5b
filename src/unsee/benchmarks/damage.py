"""Is a copy of a benchmark whole, as far as a request needs it? What a loader would pass over is looked for here.

`unsee benchmark check` reads every configuration through and says all that is odd, published oddities among it. This
looks at the sets of one request alone, and only for what a copy gets by being cut, joined or edited: people who are
missing, in both sets or there twice, rows that are there twice, questions or answers that are gone, pictures that
cannot be decoded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from unsee.benchmarks.findings import some
from unsee.benchmarks.source import Folder, Source, open_source
from unsee.benchmarks.tofu.load import QUESTIONS_PER_AUTHOR
from unsee.data.example import Benchmark, Example
from unsee.data.pictures import image_hash
from unsee.errors import InputError
from unsee.system.progress import progress
from unsee.system.strict import parse_json

_DRAWN = "real_faces"  # whose questions are drawn by the place of the row, so that doubled rows ask two of them


def damage(benchmark: Benchmark, source: str | Path, kind: str, split: str) -> list[str]:
    """What is wrong with a copy, a line each; empty for one that is whole.

    Args:
        benchmark: as it was loaded from the copy.
        source: the folder or the hub id that it was loaded from.
        kind: "clear", "mllmu" or "tofu".
        split: what is forgotten.

    Raises:
        InputError: a file cannot be read.
    """
    checks: dict[str, Callable[[Source, str], Iterator[str]]] = {"clear": _clear, "mllmu": _mllmu, "tofu": _tofu}
    sets = {"forget": benchmark.forget, "retain": benchmark.retain, "preserve": benchmark.preserve}
    sets |= {probe.name: probe.examples for probe in benchmark.probes}
    found = list(checks[kind](open_source(source), split))
    if kind != "mllmu":  # whose questions are lists of one row, where a question may well come again
        found += [line for name, rows in sets.items() for line in _doubled(name, rows)]
    return [*found, *_broken(sets)]


def _clear(source: Source, split: str) -> Iterator[str]:
    retain = _rest(split, "retain", "forget")
    people = {config: _column(source, config, "name") for config in (split, retain, f"{split}_perturbed")}
    yield from _apart(people, split, retain)
    yield from _complete(source, people[split] + people[retain], "full", "name")
    yield from _lost(people[split], people[f"{split}_perturbed"], f"{split}_perturbed")
    for config in (f"{split}+tofu", f"{retain}+tofu"):
        rows = [row.values for row in source.rows(config, ("caption", "question", "answer"))]
        odd = [n for n, row in enumerate(rows, start=1) if (row["caption"] is None) == (row["question"] is None)]
        if odd:
            yield f"{config}: rows that are not one of caption and question: {some(odd)}"
        yield from _blocks(config, sum(row["question"] is not None for row in rows))


def _tofu(source: Source, split: str) -> Iterator[str]:
    retain = _rest(split, "retain", "forget")
    asked = {config: _column(source, config, "question") for config in (split, retain)}
    yield from _apart(asked, split, retain, "questions")
    for config, questions in asked.items():
        yield from _blocks(config, len(questions))
    yield from _complete(source, asked[split] + asked[retain], "full", "question", "questions")
    if (count := len(_column(source, f"{split}_perturbed", "question"))) < len(asked[split]):
        yield f"{split}_perturbed: {count} questions, {split} has {len(asked[split])}"


def _mllmu(source: Source, split: str) -> Iterator[str]:
    retain = _rest(split, "retain_", "forget_")
    people = {config: _column(source, config, "ID") for config in (split, retain, "Retain_Set", "Test_Set")}
    for config, ids in people.items():
        if twice := [one for one, count in Counter(ids).items() if count > 1]:
            yield f"{config}: people that are there twice: {some(twice)}"
        if config != "Test_Set":
            yield from _unasked(source, config)
    yield from _apart(people, split, retain)
    yield from _complete(source, people[split] + people[retain], "Full_Set", "ID")
    yield from _lost(people[split], people["Test_Set"], "Test_Set")
    yield from _untrained(source)


def _unasked(source: Source, config: str) -> Iterator[str]:
    """People without any question of one of the three tasks."""
    columns = ("ID", "Classification_Task", "Mask_Task", "Generation_Task")
    for row in source.rows(config, columns):
        choices = row.values["Classification_Task"] or {}
        asked = {
            "Classification_Task": choices.get("Image_Textual_Questions") and choices.get("Pure_Text_Questions"),
            **{name: row.values[name] for name in columns[2:]},
        }
        gone = [name for name, questions in asked.items() if not questions]
        if gone:
            yield f"{config}: ID {row.values['ID']} has no questions in {gone[0]}"


def _untrained(source: Source) -> Iterator[str]:
    """Training questions that are gone, or of which the last row would win."""
    if not source.has("ft_Data"):
        return
    rows = [row.values for row in source.rows("ft_Data", ("ID", "metadata"))]
    twice = [one for one, count in Counter(row["ID"] for row in rows).items() if count > 1]
    if twice:
        yield f"ft_Data: people that are there twice: {some(twice)}"
    empty = [row["ID"] for row in rows if parse_json(str(row["metadata"]), "ft_Data, metadata") == []]
    if empty:
        yield f"ft_Data: people without questions: {some(empty)}"


def _rest(split: str, retain: str, forget: str) -> str:
    """The retain set of a split."""
    return f"{retain}{100 - int(split.removeprefix(forget))}"


def _column(source: Source, config: str, name: str) -> list[Any]:
    return [row.values[name] for row in source.rows(config, (name,))]


def _apart(sets: dict[str, list[Any]], forget: str, retain: str, what: str = "people") -> Iterator[str]:
    if common := set(sets[forget]) & set(sets[retain]):
        yield f"{forget} and {retain}: {len(common)} {what} in both: {some(common)}"


def _complete(source: Source, there: Sequence[Any], full: str, column: str, what: str = "people") -> Iterator[str]:
    """Whether everybody of the whole is in one of the two sets; on the hub the whole is not fetched for that."""
    whole = _column(source, full, column) if isinstance(source, Folder) and source.has(full) else []
    if gone := set(whole) - set(there):
        yield f"{len(gone)} {what} of {full} are neither forgotten nor retained: {some(gone)}"


def _lost(people: Iterable[Any], measured: Iterable[Any], config: str) -> Iterator[str]:
    if gone := set(people) - set(measured):
        yield f"{config}: {len(gone)} people who are to be forgotten are missing: {some(gone)}"


def _blocks(config: str, questions: int) -> Iterator[str]:
    """The questions have no column that says whom they are about; they stand in blocks, one a person."""
    if questions % QUESTIONS_PER_AUTHOR:
        yield f"{config}: {questions} questions, which are not {QUESTIONS_PER_AUTHOR} a person"


def _doubled(name: str, rows: Sequence[Example]) -> Iterator[str]:
    first: dict[tuple[Any, ...], int] = {}
    twice = []
    for number, row in enumerate(rows, start=1):
        asked = "" if name == _DRAWN else row.question
        if first.setdefault((image_hash(row.image), asked, row.answer), number) != number:
            twice.append(number)
    if twice:
        yield f"{name}: {len(twice)} rows are there twice: {some(twice)}"


def _broken(sets: dict[str, Sequence[Example]]) -> Iterator[str]:
    """Pictures that cannot be decoded, each looked at once."""
    rows = [(name, number, row) for name, some_rows in sets.items() for number, row in enumerate(some_rows, start=1)]
    seen: set[Any] = {None}
    for name, number, row in progress(rows, "checking pictures"):
        if row.image not in seen:
            seen.add(row.image)
            try:
                row.picture()
            except InputError as error:
                yield f"{name}, row {number}: {error}"
