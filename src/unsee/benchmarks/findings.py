"""What a check of a benchmark says, and the checks that several benchmarks share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

SHOWN = 3  # rows that a finding names
Level = Literal["error", "note"]


@dataclass(frozen=True)
class Finding:
    """Something odd about a benchmark."""

    level: Level
    where: str  # a configuration, or several
    message: str


@dataclass
class ConfigRows:
    """What is remembered of a configuration: everything but its pictures."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    pictures: list[str | None] = field(default_factory=list)  # a hash per row; None without a picture
    bytes: int = 0  # of all pictures together


Configs = Mapping[str, ConfigRows]  # by the name of the configuration
Key = Callable[[ConfigRows], list[Any]]  # what identifies each row


def parted(configs: Configs, forget: str, retain: str, full: str, key: Key) -> Iterator[Finding]:
    """A forget set and its retain set share nothing, and together are everything."""
    if not {forget, retain, full} <= configs.keys():
        return
    parts = {name: Counter(key(configs[name])) for name in (forget, retain, full)}
    if common := parts[forget] & parts[retain]:
        yield Finding("error", f"{forget}, {retain}", f"{common.total()} rows are in both")
    both, count = f"{forget}, {retain}", len(configs[forget].rows) + len(configs[retain].rows)
    if count != len(configs[full].rows):
        yield Finding("note", both, f"have {count} rows together, {full} has {len(configs[full].rows)}")
    extra = (parts[forget] | parts[retain]) - parts[full]
    if extra:
        names = some([str(values[1] or values[-1]) for values in extra])
        yield Finding("note", both, f"{extra.total()} rows are not in {full}: {names}")
    if "name" in next(iter(configs[forget].rows), {}):
        people = [{row.get("name") for row in configs[name].rows} for name in (forget, retain)]
        if shared := people[0] & people[1]:
            yield Finding("error", both, f"{len(shared)} people are in both: {some(shared)}")


def same_ids(configs: Configs) -> Iterator[Finding]:
    """People who have more than one row in a configuration, by their `ID`."""
    for config, content in configs.items():
        twice = [number for number, count in Counter(ids_of(content)).items() if count > 1]
        if twice:
            yield Finding("error", config, f"IDs that occur more than once: {some(twice)}")


def people_parted(configs: Configs, forget: str, retain: str, full: str) -> Iterator[Finding]:
    """Whether, by their `ID`, nobody is both forgotten and retained, and all are one of them."""
    if not {forget, retain, full} <= configs.keys():
        return
    ids = {name: set(ids_of(configs[name])) for name in (forget, retain, full)}
    if common := ids[forget] & ids[retain]:
        yield Finding("error", f"{forget}, {retain}", f"{len(common)} people are in both: {some(common)}")
    if odd := (ids[forget] | ids[retain]) ^ ids[full]:
        yield Finding("note", f"{forget}, {retain}", f"together are not {full}: {some(odd)}")


def ids_of(content: ConfigRows) -> list[Any]:
    """Whom each row is about."""
    return [row.get("ID") for row in content.rows]


def empty_texts(config: str, rows: Sequence[Mapping[str, Any]], may_be_null: bool = False) -> Iterator[Finding]:
    """Texts that are blank, or null where none may be."""
    for column in next(iter(rows), {}):
        values = [row.get(column) for row in rows]
        empty = [
            number
            for number, value in enumerate(values, start=1)
            if (value is None and not may_be_null) or (isinstance(value, str) and not value.strip())
        ]
        if empty:
            yield Finding("error", config, f"no {column} in {len(empty)} rows: {some(empty)}")


def nested(configs: Configs, names: Sequence[str], key: Key) -> Iterator[Finding]:
    """Whether smaller forget sets are part of larger ones."""
    for small, large in pairwise(names):
        if {small, large} <= configs.keys() and (outside := set(key(configs[small])) - set(key(configs[large]))):
            yield Finding(
                "note", f"{small}, {large}", f"are not nested: {len(outside)} rows of {small} are not in both"
            )


def some(values: Iterable[object]) -> str:
    """The first few of some values, in order."""
    listed = [text if len(text) <= 60 else f"{text[:57]}..." for text in map(str, values)]
    ordered = listed if all(map(str.isdigit, listed)) else sorted(listed)  # sets have no order of their own
    return ", ".join(ordered[:SHOWN]) + (", ..." if len(listed) > SHOWN else "")
