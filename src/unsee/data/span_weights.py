"""Weights of spans over a whole set, so that a batch needs to know nothing of the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from unsee.data.example import Example
from unsee.errors import InputError


def balanced(examples: Sequence[Example]) -> list[Example]:
    """The examples with weights that sum to the number of examples for each role.

    A mean over examples of weighted span losses is then the mean over all spans of a role, plus that of the next role,
    and so on: what separate loaders for each role have on average, whatever the batches are.

    Args:
        examples: with spans; some may have none.

    Raises:
        InputError: when no example has a span, or weights are negative.
    """
    totals: dict[str, float] = defaultdict(float)
    for example in examples:
        for span in example.spans:
            if span.weight < 0:
                raise InputError(f"forget: answer {example.answer[:60]!r} has a span of weight {span.weight}")
            totals[span.role] += span.weight
    if not any(totals.values()):
        raise InputError("forget: no row has a span to raise or to lower; give what `unsee mine` wrote")
    scale = {role: len(examples) / total for role, total in totals.items() if total}
    return [
        replace(
            example,
            spans=tuple(replace(span, weight=span.weight * scale.get(span.role, 0.0)) for span in example.spans),
        )
        for example in examples
    ]
