"""The rule of what counts: no bias from how rows are chosen, in simulations in which nothing was lost."""

from __future__ import annotations

from dataclasses import replace
from math import isnan

import numpy as np
import pytest

from tests.test_evaluate import record
from unsee.bench.results import people
from unsee.criteria import counted, known_to, role_of, share_right
from unsee.records import Record
from unsee.scores import score

RIGHT, DIFFER = 0.60, 0.08  # share of right answers of either model, and of rows on which the two differ


def answered(right: np.ndarray, photos: int) -> list[Record]:
    """Records about people with six facts each, asked with so many photographs; `right` has one entry a row."""
    rows = enumerate(right.tolist())
    return [record(n, f"person {n // (6 * photos)}", f"fact {n // photos}", bool(one)) for n, one in rows]


def alike(rng: np.random.Generator, people: int, photos: int) -> tuple[list[Record], list[Record]]:
    """Base and another model, both right in 60 % of the rows, that differ on 8 % of them by chance alone."""
    rows = people * 6 * photos
    base = rng.random(rows) < RIGHT
    # As many are lost as are gained: 4 % of all rows each.
    turned = np.where(base, rng.random(rows) < DIFFER / 2 / RIGHT, rng.random(rows) < DIFFER / 2 / (1 - RIGHT))
    return answered(base, photos), answered(base ^ turned, photos)


@pytest.mark.parametrize("photos", [1, 2, 3])
def test_which_rows_count_favours_neither_the_base_nor_another_model(photos: int) -> None:
    rng = np.random.default_rng(photos)
    worlds = [alike(rng, people=10, photos=photos) for _ in range(150)]
    of_base = np.array([share_right(base, base, "forget") for base, _ in worlds])
    of_model = np.array([share_right(model, base, "forget") for base, model in worlds])
    error = of_base.std() / len(worlds) ** 0.5
    assert abs(of_base.mean() - RIGHT) < 4 * error  # chosen by the rows themselves it would be 0.75 to 1.00
    assert abs((of_model - of_base).mean()) < 4 * (of_model - of_base).std() / len(worlds) ** 0.5


def test_what_counts_is_the_same_in_scores_selection_and_results() -> None:
    base, model = alike(np.random.default_rng(0), people=6, photos=3)
    found = score(model, base)
    assert share_right(model, base, "forget") == found.accuracy.score
    assert share_right(model, base, "keep") == found.ungated
    for role, n in (("forget", found.accuracy.n), ("keep", len(model))):
        assert sum(map(len, people(model, base, role).values())) == n  # type: ignore[arg-type]


def test_a_row_never_decides_whether_it_counts_itself() -> None:
    rows = [record(n, "Ada", "city", n != 1) for n in range(4)]
    for n, row in enumerate(rows):
        turned = [*rows[:n], replace(row, correct=not row.correct), *rows[n + 1 :]]
        assert known_to(turned)[n] == known_to(rows)[n]


def test_what_is_to_stay_counts_whether_base_knew_it_or_not() -> None:
    base = [record(n, "Ada", "city", False) for n in range(3)]
    assert counted(base, "keep") == [True] * 3
    assert counted(base, "forget") == [False] * 3
    assert isnan(share_right(base, base, "forget"))


def test_a_fact_that_was_asked_once_counts_and_is_said_to_stand_alone() -> None:
    base = [record(0, "Ada", "city", False), record(1, "Ada", "year", True), record(2, None, None, False)]
    assert known_to(base) == [None] * 3
    found = score(base, base)
    assert (found.accuracy.n, found.left_out, found.alone) == (3, 0, 3)


def test_gated_ungated_and_paired_numbers_stand_side_by_side() -> None:
    base = [record(n, f"person {n // 4}", f"city {n // 2}", n % 4 < 2) for n in range(40)]
    model = [replace(row, correct=row.correct and row.index >= 4) for row in base]
    found = score(model, base).to_dict()
    assert (found["score"], found["n"], found["left_out"]) == (0.9, 20, 20)  # of 10 known facts the first is gone
    assert found["ungated"] == pytest.approx(0.45)
    assert found["known_change"] == pytest.approx(-0.1)
    assert found["change"] == pytest.approx(-0.05)
    assert found["change_low"] < -0.05 < found["change_high"]
    assert score(model).to_dict()["change"] is None


def test_the_request_says_what_a_probe_of_the_world_is_for() -> None:
    assert [role_of("forget_qa", request) for request in ("visual", "textual", "both")] == ["keep", "forget", "forget"]
    assert role_of("retain_vqa", "both") == "keep"
