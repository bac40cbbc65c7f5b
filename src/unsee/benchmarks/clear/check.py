"""What is odd about CLEAR, as it is published, and what a copy of it loses by being cut, joined or edited."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from unsee.benchmarks.clear.columns import SHARES, retain_of
from unsee.benchmarks.clear.load import QUESTIONS_PER_PERSON
from unsee.benchmarks.damage import apart, blocks, column, complete, doubled, lost
from unsee.benchmarks.findings import ConfigRows, Configs, Finding, empty_texts, nested, parted, some
from unsee.benchmarks.source import Source
from unsee.data.example import Benchmark


def findings(configs: Configs) -> Iterator[Finding]:
    """What is odd: sets that should part or nest, twins that differ, pictures stored again and again."""
    for config, content in configs.items():
        yield from empty_texts(config, content.rows, may_be_null=config.endswith("+tofu"))
        yield from _rows(config, content)
    for share in SHARES:
        forget, retain = f"forget{share}", retain_of(f"forget{share}")
        yield from parted(configs, forget, retain, "full", _photos)
        yield from parted(configs, f"{forget}+tofu", f"{retain}+tofu", "full+tofu", _union)
        yield from _perturbed(configs, forget)
    yield from nested(configs, [f"forget{share}" for share in SHARES], _photos)
    different = {picture for content in configs.values() for picture in content.pictures if picture}
    stored = sum(sum(picture is not None for picture in content.pictures) for content in configs.values())
    if different and stored > len(different):
        message = f"{len(different)} different pictures are stored {stored} times, {stored / len(different):.1f} each"
        megabytes = sum(content.bytes for content in configs.values()) / 1e6
        yield Finding("note", "all", f"{message} ({megabytes:,.0f} MB)")


def _photos(content: ConfigRows) -> list[Any]:
    return list(zip(content.pictures, (row.get("caption") for row in content.rows), strict=True))


def _union(content: ConfigRows) -> list[Any]:
    rows = zip(content.pictures, content.rows, strict=True)
    return [(picture, row.get("caption"), row.get("question"), row.get("answer")) for picture, row in rows]


def _perturbed(configs: Configs, config: str) -> Iterator[Finding]:
    twin = f"{config}_perturbed"
    if not {config, twin} <= configs.keys():
        return
    plain, perturbed = (Counter(row.get("caption") for row in configs[name].rows) for name in (config, twin))
    if missing := plain - perturbed:
        yield Finding("note", f"{config}, {twin}", f"{missing.total()} captions have no perturbed row: {some(missing)}")
    if extra := perturbed - plain:
        yield Finding("error", f"{config}, {twin}", f"{extra.total()} perturbed rows have no caption: {some(extra)}")


def _rows(config: str, content: ConfigRows) -> Iterator[Finding]:
    rows = list(enumerate(content.rows, start=1))
    if config.endswith("+tofu"):
        neither = [number for number, row in rows if (row.get("caption") is None) == (row.get("question") is None)]
        if neither:
            yield Finding("error", config, f"rows that are not one of caption and question: {some(neither)}")
    for name in ("caption", "options"):
        bare = [number for number, row in rows if row.get(name) and content.pictures[number - 1] is None]
        if bare:
            yield Finding("error", config, f"rows with a {name} and no picture: {some(bare)}")
    if "name" in next(iter(content.rows), {}):
        silent = [n for n, row in rows if row.get("name") and str(row["name"]) not in str(row.get("caption"))]
        if silent:
            yield Finding("note", config, f"{len(silent)} captions do not say the name: rows {some(silent)}")
    yield from _alternatives(config, content)


def _alternatives(config: str, content: ConfigRows) -> Iterator[Finding]:
    rows = list(enumerate(content.rows, start=1))
    for name, answer in (("perturbed_captions", "caption"), ("perturbed_names", "name"), ("options", "answer")):
        if name not in next(iter(content.rows), {}):
            continue
        counts = Counter(len(row[name] or ()) for _, row in rows)
        if len(counts) > 1 or 0 in counts:
            shown = ", ".join(f"{times} rows with {length}" for length, times in sorted(counts.items()))
            yield Finding("error" if 0 in counts else "note", config, f"{name} differ in number: {shown}")
        right = [number for number, row in rows if row.get(answer) in (row[name] or ())]
        if right:
            yield Finding("note", config, f"{name} hold the right answer in {len(right)} rows: {some(right)}")


def damage(benchmark: Benchmark, source: Source, split: str) -> Iterator[str]:
    """What is wrong with a copy of the sets of one split."""
    retain = retain_of(split)
    people = {config: column(source, config, "name") for config in (split, retain, f"{split}_perturbed")}
    yield from apart(people, split, retain)
    yield from complete(source, people[split] + people[retain], "full", "name")
    yield from lost(people[split], people[f"{split}_perturbed"], f"{split}_perturbed")
    for config in (f"{split}+tofu", f"{retain}+tofu"):
        rows = [row.values for row in source.rows(config, ("caption", "question", "answer"))]
        odd = [n for n, row in enumerate(rows, start=1) if (row["caption"] is None) == (row["question"] is None)]
        if odd:
            yield f"{config}: rows that are not one of caption and question: {some(odd)}"
        yield from blocks(config, sum(row["question"] is not None for row in rows), QUESTIONS_PER_PERSON)
    yield from doubled(benchmark, drawn=("real_faces",))
