"""Rows of about the same length share batches."""

from __future__ import annotations

from unsee.training.by_length import BATCHES_SORTED, Sorted

BATCH = 4


def test_sorted_batches_hold_every_position_once_and_rows_of_a_length_together() -> None:
    window = BATCHES_SORTED * BATCH
    lengths = [position * 7 % 50 for position in range(2 * window + 6)]
    order = list(Sorted(lengths, BATCH, seed=1))
    assert sorted(order) == list(range(len(lengths)))
    assert {position // window for position in order[:window]} == {0}  # no row waits longer than a window
    batches = [order[start : start + BATCH] for start in range(0, window, BATCH)]
    spread = [max(lengths[p] for p in batch) - min(lengths[p] for p in batch) for batch in batches]
    assert max(spread) <= 50 // BATCH
    assert [lengths[batch[0]] for batch in batches] != sorted(lengths[batch[0]] for batch in batches)
    assert order == list(Sorted(lengths, BATCH, seed=1))
    assert order != list(Sorted(lengths, BATCH, seed=2))
