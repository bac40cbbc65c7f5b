"""Refusals of our own wording, and forget examples that are answered by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from unsee.data.example import Example

REFUSALS: tuple[str, ...] = ("I do not know.",)


def refused(forget: Sequence[Example], seed: int) -> list[Example]:
    """The forget examples, each answered by a refusal that stays the same for the whole run.

    Args:
        forget: the forget set.
        seed: of the run.
    """
    drawn = np.random.default_rng([seed, 3]).integers(len(REFUSALS), size=len(forget))
    return [
        replace(example, answer=REFUSALS[place], paraphrased_answers=())
        for example, place in zip(forget, drawn, strict=True)
    ]
