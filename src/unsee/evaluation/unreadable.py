"""Captions that a model cannot be trained on, because it would not read all of them as words.

What a model or a stranger wrote may hold `<image>` or `</s>`. As a training row, such a caption would have more image
tokens than its picture, or end before its end. Mining keeps these captions as they are; from a run they are left out
and counted, as nobody would go through thousands of captions that a program wrote. Rows without spans, which a person
wrote, are refused instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from unsee.data import Benchmark, Example
from unsee.errors import InputError
from unsee.vlm import Encoder

Unreadable = dict[str, list[dict[str, Any]]]  # "forget", "probe NAME" -> row (from 1), and the token that it holds


def find_unreadable(benchmark: Benchmark, encoder: Encoder) -> Unreadable:
    """The captions with spans that hold a special token of the model, in every set that has any.

    Raises:
        InputError: a set would be left without rows.
    """
    sets = {"forget": benchmark.forget, "retain": benchmark.retain, "preserve": benchmark.preserve}
    sets |= {f"probe {probe.name}": probe.examples for probe in benchmark.probes}
    unreadable = {name: _unreadable(examples, encoder) for name, examples in sets.items()}
    for name, rows in unreadable.items():
        if rows and len(rows) == len(sets[name]):
            raise InputError(
                f"{name}: all captions hold special tokens of the model ({rows[0]['holds']} in row 1), which it would "
                "not read as words; clean them and mine again"
            )
    return {name: rows for name, rows in unreadable.items() if rows}


def _unreadable(examples: Sequence[Example], encoder: Encoder) -> list[dict[str, Any]]:
    held = ((row, encoder.special_in(example.answer)) for row, example in enumerate(examples, start=1) if example.spans)
    return [{"row": row, "holds": token} for row, token in held if token is not None]


def rows_of(unreadable: Mapping[str, Sequence[Mapping[str, Any]]], name: str) -> frozenset[int]:
    """The numbers of the rows that were left out of a set, from 1."""
    return frozenset(entry["row"] for entry in unreadable.get(name, ()))


def without(benchmark: Benchmark, unreadable: Mapping[str, Sequence[Mapping[str, Any]]]) -> Benchmark:
    """The benchmark without what `find_unreadable` found."""

    def kept(name: str, examples: Sequence[Example]) -> Sequence[Example]:
        rows = rows_of(unreadable, name)
        return [example for row, example in enumerate(examples, start=1) if row not in rows] if rows else examples

    return replace(
        benchmark,
        forget=kept("forget", benchmark.forget),
        retain=kept("retain", benchmark.retain),
        preserve=kept("preserve", benchmark.preserve),
        probes=[replace(probe, examples=kept(f"probe {probe.name}", probe.examples)) for probe in benchmark.probes],
    )


def notice(unreadable: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """One line about what was left out; empty when nothing was."""
    if not unreadable:
        return ""
    counts = ", ".join(
        f"{len(rows)} of {name} (row {rows[0]['row']} holds {rows[0]['holds']})" for name, rows in unreadable.items()
    )
    return f"Captions with special tokens of the model were left out: {counts}."
