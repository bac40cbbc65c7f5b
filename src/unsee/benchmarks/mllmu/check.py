"""What is odd about MLLMU-Bench, as it is published, and what a copy of it loses by being cut, joined or edited."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from unsee.benchmarks.damage import apart, column, complete, lost, repeated
from unsee.benchmarks.findings import Configs, Finding, ids_of, nested, people_parted, same_ids, some
from unsee.benchmarks.mllmu.columns import TASK_COLUMNS
from unsee.benchmarks.profiles import LETTERS, SHARES, retain_of
from unsee.benchmarks.source import Source
from unsee.data.example import Benchmark
from unsee.metrics.answers import normalise
from unsee.system.strict import parse_json


def findings(configs: Configs) -> Iterator[Finding]:
    """What is odd: sets that should part, options without the answer, trained questions."""
    yield from same_ids(configs)
    for config, content in configs.items():
        for number, row in enumerate(content.rows, start=1):
            yield from _row(f"{config}, row {number}", row)
    for share in SHARES:
        yield from people_parted(configs, f"forget_{share}", retain_of(f"forget_{share}"), "Full_Set")
    yield from nested(configs, [f"forget_{share}" for share in SHARES], ids_of)
    if "Full_Set" in configs:
        for config in ("Test_Set", "ft_Data"):
            missing = set(ids_of(configs["Full_Set"])) - set(ids_of(configs[config])) if config in configs else set()
            if missing:
                yield Finding("error", config, f"{len(missing)} people of Full_Set are missing: {some(missing)}")
    yield from _trained_questions(configs)


def _row(where: str, row: Mapping[str, Any]) -> Iterator[Finding]:
    for key in ("Image_Textual_Questions", "Pure_Text_Questions"):
        for item in (row.get("Classification_Task") or {}).get(key) or ():
            options = item.get("Options") or {}
            if options.get(item.get("Correct_Answer")) is None:
                answer = item.get("Correct_Answer")
                yield Finding("error", where, f"{key}: Correct_Answer is {answer!r}, none of {', '.join(LETTERS)}")
            if len(set(options.values())) < len(options):
                yield Finding("note", where, f"{key}: two options are the same")
    for item in row.get("Mask_Task") or ():
        if str(item.get("Question")).count("__") != 1:
            yield Finding("note", where, f"Mask_Task: not one blank (__) in {item.get('Question')!r}")
        if not item.get("Ground_Truth"):
            yield Finding("error", where, "Mask_Task: no Ground_Truth; an empty one would be right always")


def _trained_questions(configs: Configs) -> Iterator[Finding]:
    """How many evaluation questions occur among the training questions of the same person."""
    trained: set[tuple[Any, str]] = set()
    for row in configs["ft_Data"].rows if "ft_Data" in configs else ():
        try:
            items = parse_json(row["metadata"], "")
            trained |= {(row.get("ID"), normalise(str(item.get("Question")))) for item in items}
        except (ValueError, TypeError, AttributeError):
            yield Finding("error", "ft_Data", f"metadata of ID {row.get('ID')!r} is no JSON list of questions")
    for config in ("Full_Set", "Test_Set"):
        asked = [
            (row.get("ID"), normalise(str(item.get("Question"))))
            for row in (configs[config].rows if config in configs else ())
            for item in _questions(row)
        ]
        seen = sum(question in trained for question in asked)
        if seen:
            yield Finding("note", f"{config}, ft_Data", f"{seen} of {len(asked)} evaluation questions are trained on")


def _questions(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for key in ("Image_Textual_Questions", "Pure_Text_Questions"):
        yield from (row.get("Classification_Task") or {}).get(key) or ()
    for key in ("Generation_Task", "Mask_Task"):
        yield from row.get(key) or ()


def damage(_: Benchmark, source: Source, split: str) -> Iterator[str]:
    """What is wrong with a copy of the sets of one split.

    Questions are lists of one row, where a question may well come again: rows that are there twice are no damage.
    """
    retain = retain_of(split)
    people = {config: column(source, config, "ID") for config in (split, retain, "Retain_Set", "Test_Set")}
    yield from repeated(people)
    for config in (split, retain, "Retain_Set"):
        yield from _unasked(source, config)
    yield from apart(people, split, retain)
    yield from complete(source, people[split] + people[retain], "Full_Set", "ID")
    yield from lost(people[split], people["Test_Set"], "Test_Set")
    yield from _untrained(source)


def _unasked(source: Source, config: str) -> Iterator[str]:
    """People without any question of one of the three tasks."""
    for row in source.rows(config, ("ID", *TASK_COLUMNS)):
        choices = row.values["Classification_Task"] or {}
        asked = {
            "Classification_Task": choices.get("Image_Textual_Questions") and choices.get("Pure_Text_Questions"),
            **{name: row.values[name] for name in TASK_COLUMNS[1:]},
        }
        gone = [name for name, questions in asked.items() if not questions]
        if gone:
            yield f"{config}: ID {row.values['ID']} has no questions in {gone[0]}"


def _untrained(source: Source) -> Iterator[str]:
    """Training questions that are gone, or of which the last row would win."""
    if not source.has("ft_Data"):
        return
    rows = [row.values for row in source.rows("ft_Data", ("ID", "metadata"))]
    yield from repeated({"ft_Data": [row["ID"] for row in rows]})
    empty = [row["ID"] for row in rows if parse_json(str(row["metadata"]), "ft_Data, metadata") == []]
    if empty:
        yield f"ft_Data: people without questions: {some(empty)}"
