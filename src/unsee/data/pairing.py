"""Which forget and which retain example meet at which step."""

from __future__ import annotations

from bisect import bisect_left
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


class Mismatched:
    """Forget examples with the answer of another one that answers otherwise.

    Args:
        forget: the forget set.
        seed: of the run.
    """

    def __init__(self, forget: Sequence[Example], seed: int) -> None:
        self.forget, self.seed = forget, seed
        self._answers = sorted({example.answer for example in forget})  # once: a draw takes no longer in a large set

    def __call__(self, index: int, position: int) -> Example:
        """One example with a wrong answer of the forget set; as it is when the whole set has one answer.

        Args:
            index: of the example whose question is asked.
            position: of the run, so that each time another answer comes; the same position, the same answer.
        """
        asked = self.forget[index]
        places = map(self._place, {asked.answer, *asked.paraphrased_answers})
        right = sorted(place for place in places if place is not None)
        others = len(self._answers) - len(right)
        if not others:
            return asked
        drawn = int(np.random.default_rng([self.seed, 2, position]).integers(others))
        for place in right:  # counted past the right ones
            drawn += place <= drawn
        return replace(asked, answer=self._answers[drawn], paraphrased_answers=())

    def _place(self, answer: str) -> int | None:
        """Where an answer stands among all; None where it is none of them."""
        place = bisect_left(self._answers, answer)
        return place if place < len(self._answers) and self._answers[place] == answer else None
