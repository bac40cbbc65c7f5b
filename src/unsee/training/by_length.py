"""Training on rows of about the same length at a time, which spends little on padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from torch.utils.data import Sampler

from unsee.training.trainer import UnlearnTrainer

BATCHES_SORTED = 16  # by length, together
PICTURE_LETTERS = 64  # as long as the tokens of a picture, about


class ByLength(UnlearnTrainer):
    """Sorts the rows of a few batches by length, and shuffles the batches; for objectives on retain rows alone."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        return Sorted(
            [self._length(position) for position in range(len(self.positions))], self.effective_batch, self.config.seed
        )

    def _length(self, position: int) -> int:
        row = self.retain[self.pairing[position]["retain"]]
        return len(row.question) + len(row.answer) + (PICTURE_LETTERS if row.image is not None else 0)


class Sorted(Sampler[int]):
    """Each position once, batch by batch; the same arguments, the same order.

    Args:
        lengths: of the row at each position.
        batch: rows per optimizer step.
        seed: of the order of batches.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int) -> None:
        self.lengths, self.batch, self.seed = np.array(lengths), batch, seed

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        window = BATCHES_SORTED * self.batch
        for start in range(0, len(self), window):
            order = start + np.argsort(self.lengths[start : start + window], kind="stable")
            batches = [order[first : first + self.batch] for first in range(0, len(order), self.batch)]
            for place in np.random.default_rng([self.seed, start]).permutation(len(batches)):
                yield from batches[place].tolist()
