"""Which forget and which retain example meet at which step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from unsee.data.example import Example


class Pairing:
    """Pairs of forget and retain examples as a pure function of (seed, position).

    Position p is in epoch p // n of the forget set, at index p % n; each epoch walks a fresh permutation of the set,
    and the retain set is walked the same way at its own pace. Nothing is stateful: the pairs are the same on any
    number of processes and after any interruption.

    Args:
        forget: size of the forget set.
        retain: size of the retain set; 0 when the method does not use one.
        seed: of the permutations.
    """

    def __init__(self, forget: int, retain: int, seed: int) -> None:
        self.sizes = {"forget": forget, "retain": retain}
        self.seed = seed
        self._orders: dict[str, tuple[int, np.ndarray]] = {}

    def __getitem__(self, position: int) -> dict[str, int]:
        """Index into each non-empty set at a position of the run."""
        return {role: self._index(role, position) for role, size in self.sizes.items() if size}

    def _index(self, role: str, position: int) -> int:
        epoch, index = divmod(position, self.sizes[role])
        cached = self._orders.get(role)
        if cached is None or cached[0] != epoch:
            stream = 0 if role == "forget" else 1
            order = np.random.default_rng([self.seed, stream, epoch]).permutation(self.sizes[role])
            cached = self._orders[role] = (epoch, order)
        return int(cached[1][index])


def mismatched(forget: Sequence[Example], index: int, seed: int, position: int) -> Example:
    """A forget example with the answer of another one that answers otherwise: a pure function of its arguments.

    Args:
        forget: the forget set.
        index: of the example whose question is asked.
        seed: of the run.
        position: of the run, so that each time another answer comes.

    Returns:
        The example with a wrong answer of the forget set; as it is when the whole set has one answer.
    """
    asked = forget[index]
    others = sorted({one.answer for one in forget} - {asked.answer, *asked.paraphrased_answers})
    if not others:
        return asked
    answer = others[int(np.random.default_rng([seed, 2, position]).integers(len(others)))]
    return replace(asked, answer=answer, paraphrased_answers=())
