"""What is odd about TOFU, as it is published, and what a copy of it loses by being cut, joined or edited."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from unsee.benchmarks.damage import apart, blocks, column, complete, doubled
from unsee.benchmarks.findings import ConfigRows, Configs, Finding, empty_texts, nested, parted, some
from unsee.benchmarks.source import Source
from unsee.benchmarks.tofu.columns import SHARES, retain_of
from unsee.benchmarks.tofu.load import QUESTIONS_PER_AUTHOR
from unsee.data.example import Benchmark


def findings(configs: Configs) -> Iterator[Finding]:
    """What is odd: sets that should part, nest or match."""
    for config, content in configs.items():
        yield from empty_texts(config, content.rows)
    for share in SHARES:
        forget = f"forget{share}"
        yield from parted(configs, forget, retain_of(forget), "full", _pairs)
        if {forget, f"{forget}_perturbed"} <= configs.keys():
            plain, perturbed = (_asked(configs[name]) for name in (forget, f"{forget}_perturbed"))
            if plain != perturbed:
                message = f"{len(plain ^ perturbed)} questions are in one of them only: {some(plain ^ perturbed)}"
                yield Finding("note", f"{forget}, {forget}_perturbed", message)
    yield from nested(configs, [f"forget{share}" for share in SHARES], _pairs)


def _pairs(content: ConfigRows) -> list[Any]:
    return [(row.get("question"), row.get("answer")) for row in content.rows]


def _asked(content: ConfigRows) -> set[str]:
    return {str(row.get("question")) for row in content.rows}


def damage(benchmark: Benchmark, source: Source, split: str) -> Iterator[str]:
    """What is wrong with a copy of the sets of one split."""
    retain = retain_of(split)
    asked = {config: column(source, config, "question") for config in (split, retain)}
    yield from apart(asked, split, retain, "questions")
    for config, questions in asked.items():
        yield from blocks(config, len(questions), QUESTIONS_PER_AUTHOR)
    yield from complete(source, asked[split] + asked[retain], "full", "question", "questions")
    if (count := len(column(source, f"{split}_perturbed", "question"))) < len(asked[split]):
        yield f"{split}_perturbed: {count} questions, {split} has {len(asked[split])}"
    yield from doubled(benchmark)
