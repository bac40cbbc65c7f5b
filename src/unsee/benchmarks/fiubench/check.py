"""What is odd about FIUBench, as it is published, and what a copy of it loses by being cut, joined or edited."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from unsee.benchmarks.damage import doubled
from unsee.benchmarks.findings import ConfigRows, Configs, Finding, some
from unsee.benchmarks.fiubench.columns import FORGET_LISTS, PEOPLE, RETAIN_LISTS
from unsee.benchmarks.fiubench.people import lists, local, number_of, strings
from unsee.benchmarks.source import Source
from unsee.data.example import Benchmark
from unsee.metrics.answers import normalise

Item = Mapping[str, Any]  # one of `qa_list`


def findings(configs: Configs) -> Iterator[Finding]:
    """What is odd: people without an id or twice, lists that overlap, questions that lack something."""
    numbers = [number_of(row) for row in configs["full"].rows] if "full" in configs else []
    if "full" in configs:
        yield from _people(configs["full"], numbers)
        yield from _questions(configs["full"])
    for row in configs["split"].rows if "split" in configs else ():
        yield from _lists(row, numbers)


def _people(content: ConfigRows, numbers: Sequence[str | None]) -> Iterator[Finding]:
    nameless = [place for place, number in enumerate(numbers, start=1) if number is None]
    if nameless:
        yield Finding("error", "full", f"people without unique_id in {len(nameless)} rows: {some(nameless)}")
    if twice := _repeated([number for number in numbers if number is not None]):
        yield Finding("error", "full", f"people that are there twice: {some(twice)}")
    if shared := _repeated([picture for picture in content.pictures if picture]):
        pairs = [number for number, picture in zip(numbers, content.pictures, strict=True) if picture in shared]
        yield Finding("error", "full", f"people who share a picture with somebody: {some(pairs)}")
    if len(numbers) > PEOPLE:
        yield Finding("note", "full", f"has {len(numbers)} people, of whom the first {PEOPLE} are used")


def _questions(content: ConfigRows) -> Iterator[Finding]:
    items: dict[str, Item] = {}
    counts: Counter[int] = Counter()
    for place, row in enumerate(content.rows, start=1):
        asked = row.get("qa_list")
        if not isinstance(asked, list) or not asked or not all(isinstance(item, Mapping) for item in asked):
            yield Finding("error", f"full, row {place}", "qa_list is no list of questions")
            continue
        counts[len(asked)] += 1
        items |= {f"row {place}, {number}": item for number, item in enumerate(asked)}
    if len(counts) > 1:
        shown = ", ".join(f"{times} people with {count}" for count, times in sorted(counts.items()))
        yield Finding("note", "full", f"questions differ in number: {shown}")
    for level, what, is_so in _ODD:
        where = [place for place, item in items.items() if is_so(item)]
        if where:
            yield Finding(level, "full", f"{what} in {len(where)} questions: {some(where)}")


def _right_among_wrong(item: Item) -> bool:
    right = {normalise(text) for text in (str(item.get("answer")), *strings(item.get("paraphrased_answer")))}
    return any(normalise(text) in right for text in strings(item.get("perturbed_answer")))


_ODD: tuple[tuple[Any, str, Callable[[Item], bool]], ...] = (
    ("error", "no question", lambda item: not strings(item.get("question"))),
    ("error", "no answer", lambda item: not strings(item.get("answer"))),
    ("error", "no perturbed answer, so no truth ratio,", lambda item: not strings(item.get("perturbed_answer"))),
    ("note", "no paraphrased answer", lambda item: not strings(item.get("paraphrased_answer"))),
    ("note", "no other wording", lambda item: not strings(item.get("paraphrased_question"))),
    ("note", "no keywords", lambda item: not strings(item.get("keywords"))),
    ("note", "perturbed answers that are right", _right_among_wrong),
    ("note", "asterisks, a rest of Markdown, in the answer", lambda item: "**" in str(item.get("answer"))),
)


def _lists(row: Mapping[str, Any], numbers: Sequence[str | None]) -> Iterator[Finding]:
    named = {name: row.get(name) for name in (*FORGET_LISTS, *RETAIN_LISTS)}
    listed = {name: people for name, people in named.items() if isinstance(people, list)}
    for name in named:
        if name not in listed:
            yield Finding("error", "split", f"{name} is no list of people")
    for name, people in listed.items():
        if twice := _repeated(people):
            yield Finding("error", f"split, {name}", f"people that are listed twice: {some(twice)}")
        if numbers and (missing := set(people) - set(numbers)):
            yield Finding("error", f"split, {name}", f"{len(missing)} people are not in full: {some(missing)}")
        if late := set(people) & set(numbers[PEOPLE:]):
            yield Finding("error", f"split, {name}", f"{len(late)} people are none of the first {PEOPLE}: {some(late)}")
    yield from _overlaps(listed)


def _overlaps(listed: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    for first, second in combinations(listed, 2):
        common = set(listed[first]) & set(listed[second])
        if common and not {first, second} <= set(RETAIN_LISTS):
            level: Any = "note" if {first, second} <= set(FORGET_LISTS) else "error"
            yield Finding(level, f"{first}, {second}", f"{len(common)} people are in both: {some(common)}")


def _repeated(values: Sequence[Any]) -> list[Any]:
    return [value for value, count in Counter(values).items() if count > 1]


def damage(benchmark: Benchmark, source: Source, split: str) -> Iterator[str]:
    """What is wrong with a copy of the sets of one split; the loader refuses people that are there twice."""
    folder = local(source)
    there, listed = {number_of(row.values) for row in folder.rows("full", ("qa_list",))}, lists(folder)
    for name, people in listed.items():
        if gone := set(people) - there:
            yield f"full: {len(gone)} people of {name} are missing: {some(gone)}"
    for name in RETAIN_LISTS:
        if common := set(listed.get(split, ())) & set(listed.get(name, ())):
            yield f"{split} and {name}: {len(common)} people in both: {some(common)}"
    bare = [row.id for probe in benchmark.probes for row in probe.examples if not row.perturbed_answers]
    if bare:
        yield f"full: {len(bare)} measured questions have no perturbed answers: {some(bare)}"
    yield from doubled(benchmark)
