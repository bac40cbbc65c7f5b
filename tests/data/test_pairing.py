"""Which forget and which retain example meet: a pure function of seed and position."""

from __future__ import annotations

from collections import Counter

import pytest
from accelerate.data_loader import BatchSamplerShard
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import BatchSampler, SequentialSampler

from unsee.data.pairing import Pairing

sizes = st.integers(1, 23)
seeds = st.integers(0, 2**32 - 1)


def pairs(pairing: Pairing, start: int, stop: int) -> list[tuple[int, int]]:
    return [(pair["forget"], pair["retain"]) for pair in map(pairing.__getitem__, range(start, stop))]


@given(sizes, sizes, seeds)
def test_every_example_comes_exactly_once_an_epoch(forget: int, retain: int, seed: int) -> None:
    pairing = Pairing(forget, retain, seed)
    for epoch in range(3):
        walked = pairs(pairing, epoch * forget, (epoch + 1) * forget)
        assert sorted(index for index, _ in walked) == list(range(forget))
        walked = pairs(pairing, epoch * retain, (epoch + 1) * retain)
        assert sorted(index for _, index in walked) == list(range(retain))


@given(sizes, sizes, seeds, st.lists(st.integers(0, 500), max_size=30))
def test_a_pair_depends_on_seed_and_position_alone(forget: int, retain: int, seed: int, asked: list[int]) -> None:
    pairing = Pairing(forget, retain, seed)
    for position in asked:  # in any order, and in any number of copies
        assert pairing[position] == Pairing(forget, retain, seed)[position]


@pytest.mark.parametrize(
    ("processes", "batch", "accumulation"),
    [(1, 8, 1), (1, 2, 4), (1, 1, 8), (2, 8, 1), (2, 4, 2), (2, 2, 4), (4, 8, 1), (4, 4, 2), (8, 8, 1)],
)
def test_a_step_sees_the_same_pairs_on_any_number_of_processes(processes: int, batch: int, accumulation: int) -> None:
    """An optimizer step of 8 pairs, split over processes and accumulation as accelerate splits it."""
    steps, pairing = 5, Pairing(11, 17, seed=3)
    expected = [Counter(pairs(pairing, 8 * step, 8 * step + 8)) for step in range(steps)]
    found = [Counter[tuple[int, int]]() for _ in range(steps)]
    for process in range(processes):
        own = Pairing(11, 17, seed=3)  # every process has its own
        sampler = BatchSampler(SequentialSampler(range(8 * steps)), batch // processes, drop_last=False)
        for number, positions in enumerate(BatchSamplerShard(sampler, processes, process)):
            step = number // accumulation
            found[step].update((own[p]["forget"], own[p]["retain"]) for p in positions)
    assert found == expected


def test_orders_differ_between_seeds_epochs_and_sets() -> None:
    pairing = Pairing(20, 20, seed=0)
    first, second = pairs(pairing, 0, 20), pairs(pairing, 20, 40)
    assert [forget for forget, _ in first] != [forget for forget, _ in second]
    assert [forget for forget, _ in first] != [retain for _, retain in first]
    assert first != pairs(Pairing(20, 20, seed=1), 0, 20)


def test_forget_order_does_not_depend_on_the_retain_set() -> None:
    with_few, with_many, without = Pairing(10, 3, 7), Pairing(10, 300, 7), Pairing(10, 0, 7)
    for position in range(25):
        assert with_few[position]["forget"] == with_many[position]["forget"] == without[position]["forget"]


def test_a_set_that_is_not_used_takes_no_part() -> None:
    assert Pairing(4, 0, 0)[2].keys() == {"forget"}
    assert Pairing(0, 4, 0)[2].keys() == {"retain"}
