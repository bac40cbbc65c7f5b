"""What is odd about UMU-Bench, as it is published, and what a copy of it loses by being cut, joined or edited."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from unsee.benchmarks.damage import apart, column, complete, repeated
from unsee.benchmarks.findings import (
    ConfigRows,
    Configs,
    Finding,
    Level,
    empty_texts,
    ids_of,
    nested,
    people_parted,
    same_ids,
)
from unsee.benchmarks.profiles import SHARES, retain_of
from unsee.benchmarks.source import Source
from unsee.benchmarks.umu.columns import FULL, KINDS, REAL, TASK_COLUMNS, TRAINING_COLUMNS, mapping
from unsee.benchmarks.umu.load import options_of, right_option
from unsee.data.example import Benchmark
from unsee.data.rows import Row
from unsee.errors import InputError
from unsee.metrics.answers import normalise

_BOTH = (KINDS["vqa"], KINDS["qa"])


def findings(configs: Configs) -> Iterator[Finding]:
    """What is odd: sets that should part, facts asked in one modality alone, options without the answer."""
    yield from same_ids(configs)
    for config, content in configs.items():
        yield from empty_texts(config, content.rows)
        for number, values in enumerate(content.rows, start=1):
            yield from _row(Row(values, f"{config}, row {number}", Path()))
        yield from _taught(config, content)
    for share in SHARES:
        yield from people_parted(configs, f"forget_{share}", retain_of(f"forget_{share}"), FULL)
    yield from nested(configs, [f"forget_{share}" for share in SHARES], ids_of)


def _row(row: Row) -> Iterator[Finding]:
    """What is odd about one person; a cell that cannot be read is said in one finding."""
    try:
        tasks = {task: mapping(row, task, _BOTH) for task in TASK_COLUMNS.values()}
        trained = {name: mapping(row, name, ("question", "answer")) for name in TRAINING_COLUMNS.values()}
    except InputError as error:
        yield Finding("error", row.where, str(error).removeprefix(f"{row.where}, "))
        return
    for task, cell in tasks.items():
        seen, told = (cell[kind] for kind in _BOTH)
        for key in sorted(seen.keys() ^ told.keys()):
            level: Level = "error" if key in told else "note"  # the published evaluation goes by the keys of these
            yield Finding(level, row.where, f"{task}: {key!r} is asked in one modality alone")
        for key in sorted(seen.keys() & told.keys()):
            yield from _pair(row.where, task, key, (seen[key], told[key]))
    for name, cell in trained.items():
        if cell["question"].keys() != cell["answer"].keys():
            yield Finding("error", row.where, f"{name}: questions and answers have different keys")


def _pair(where: str, task: str, key: str, pair: tuple[Any, Any]) -> Iterator[Finding]:
    """What is odd about a fact in its two modalities."""
    if not all(isinstance(item, Mapping) for item in pair):
        yield Finding("error", where, f"{task}: {key!r} is no question with its answer")
        return
    answers = [item.get("answer") for item in pair]
    if task == TASK_COLUMNS["classification"]:
        answers = [right_option(*pair), right_option(*reversed(pair))]
        if any(len(set(options_of(item).values())) < len(options_of(item)) for item in pair):
            yield Finding("note", where, f"{task}: two options of {key!r} are the same")
    if not all(isinstance(answer, str) and answer.strip(" .") for answer in answers):
        yield Finding("error", where, f"{task}: no answer to {key!r}, or one that is none of its options")
    elif task != TASK_COLUMNS["generation"] and len({normalise(str(answer)) for answer in answers}) > 1:
        # A sentence may well name the person in one of the two and not in the other.
        yield Finding("note", where, f"{task}: the two modalities of {key!r} have different answers: {answers}")


def _taught(config: str, content: ConfigRows) -> Iterator[Finding]:
    """How many evaluation questions the same person is trained on."""
    asked = seen = 0
    for values in content.rows:
        row = Row(values, config, Path())
        for kind, name in KINDS.items():
            try:
                trained = mapping(row, TRAINING_COLUMNS[kind], ("question", "answer"))["question"].values()
                items = [
                    item for column in TASK_COLUMNS.values() for item in mapping(row, column, _BOTH)[name].values()
                ]
            except InputError:  # said already
                continue
            taught = {normalise(question) for question in trained if isinstance(question, str)}
            questions = [normalise(str(item.get("question"))) for item in items if isinstance(item, Mapping)]
            asked, seen = asked + len(questions), seen + sum(question in taught for question in questions)
    if seen:
        yield Finding("note", config, f"{seen} of {asked} evaluation questions are trained on")


def damage(_: Benchmark, source: Source, split: str) -> Iterator[str]:
    """What is wrong with a copy of the sets of one split.

    Questions are mappings in one row, where a question may well come again: rows that are there twice are no damage.
    """
    retain = retain_of(split)
    people = {config: column(source, config, "ID") for config in (split, retain, REAL)}
    yield from repeated(people)
    yield from apart(people, split, retain)
    yield from complete(source, people[split] + people[retain], FULL, "ID")
    for config in people:
        yield from _unasked(source, config)


def _unasked(source: Source, config: str) -> Iterator[str]:
    """People without any question of a task in one of its modalities, or to be trained on."""
    for row in source.rows(config, ("ID", *TASK_COLUMNS.values(), *TRAINING_COLUMNS.values())):
        about = f"{config}: ID {row.values['ID']}"
        for name in TASK_COLUMNS.values():
            if not all(mapping(row, name, _BOTH).values()):
                yield f"{about} has no questions in {name}"
        for name in TRAINING_COLUMNS.values():
            if not mapping(row, name, ("question", "answer"))["question"]:
                yield f"{about} has no questions in {name}"
