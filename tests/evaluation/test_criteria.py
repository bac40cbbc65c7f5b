"""The rule of what counts: no bias from how rows are chosen, in simulations in which nothing was lost."""

from __future__ import annotations

from dataclasses import replace
from math import isnan

import numpy as np
import pytest

from tests.evaluation.test_measure import record
from unsee.data.example import Role
from unsee.evaluation.criteria import counted, keeping, known_to, role_of, share_right
from unsee.evaluation.records import Record
from unsee.evaluation.scores import score
from unsee.leaderboard.results import people
from unsee.metrics.paired import paired_difference

RIGHT, DIFFER = 0.60, 0.08  # share of right answers of either model, and of rows on which the two differ


def answered(right: np.ndarray, photos: int) -> list[Record]:
    """Records about people with six facts each, asked with so many photographs; `right` has one entry a row."""
    rows = enumerate(right.tolist())
    return [record(n, f"person {n // (6 * photos)}", f"fact {n // photos}", bool(one)) for n, one in rows]


def alike(rng: np.random.Generator, rows: int, differ: float = DIFFER) -> tuple[np.ndarray, np.ndarray]:
    """Which rows base and another model have right: 60 % of them, differing on a share of them by chance alone."""
    base = rng.random(rows) < RIGHT
    # As many are lost as are gained: 4 % of all rows each, where the two differ on 8 %.
    turned = rng.random(rows) < np.where(base, differ / 2 / RIGHT, differ / 2 / (1 - RIGHT))
    return base, base ^ turned


@pytest.mark.parametrize("photos", [1, 2, 3])
def test_which_rows_count_favours_neither_the_base_nor_another_model(photos: int) -> None:
    rng = np.random.default_rng(photos)
    pairs = [alike(rng, rows=10 * 6 * photos) for _ in range(150)]
    worlds = [(answered(base, photos), answered(model, photos)) for base, model in pairs]
    of_base = np.array([share_right(base, base, "forget") for base, _ in worlds])
    of_model = np.array([share_right(model, base, "forget") for base, model in worlds])
    error = of_base.std() / len(worlds) ** 0.5
    assert abs(of_base.mean() - RIGHT) < 4 * error  # chosen by the rows themselves it would be 0.75 to 1.00
    assert abs((of_model - of_base).mean()) < 4 * (of_model - of_base).std() / len(worlds) ** 0.5


def test_what_counts_is_the_same_in_scores_selection_and_results() -> None:
    base, model = (answered(right, photos=3) for right in alike(np.random.default_rng(0), rows=6 * 6 * 3))
    found = score(model, base)
    assert share_right(model, base, "forget") == found.accuracy.score
    assert share_right(model, base, "keep") == found.ungated
    counts: dict[Role, int] = {"forget": found.accuracy.n, "keep": len(model)}
    for role, n in counts.items():
        assert sum(map(len, people(model, base, role).values())) == n


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


def called_lost(base: np.ndarray, model: np.ndarray) -> bool:
    """Whether a model is said to have lost what it knew of people who were asked six questions each."""
    people = [n // 6 for n in range(len(base))]
    change = paired_difference(model.astype(float).tolist(), base.astype(float).tolist(), people)
    return keeping(float(model.mean()), float(base.mean()), change.high) in ("lost some", "collapsed")


@pytest.mark.parametrize("whole", [False, True], ids=["independent", "whole people"])
@pytest.mark.parametrize("people", [2, 3, 5, 10, 40])
@pytest.mark.parametrize("differ", [0.08, 0.40])
def test_nothing_is_called_lost_where_nothing_was_more_often_than_once_in_twenty(
    people: int, whole: bool, differ: float
) -> None:
    rng, runs, lost = np.random.default_rng(people), 300, 0
    for _ in range(runs):
        base, model = alike(rng, people if whole else 6 * people, differ)
        lost += called_lost(np.repeat(base, 6), np.repeat(model, 6)) if whole else called_lost(base, model)
    assert lost / runs <= 0.05


def test_a_real_loss_is_found() -> None:
    rng = np.random.default_rng(3)
    base = rng.random(240) < 0.9
    assert called_lost(base, base & (np.arange(240) % 3 > 0))
    assert keeping(0.0, 0.9, -0.8) == "collapsed"
    assert keeping(0.5, 0.9, -0.3) == "lost some"


def test_one_changed_answer_of_ten_shows_neither_loss_nor_keeping() -> None:
    base = [record(n, f"person {n}", "city", True) for n in range(10)]
    model = [replace(row, correct=row.index > 0) for row in base]
    found = score(model, base)
    assert keeping(found.ungated, 1.0, found.change.high) == "not shown"
    assert keeping(1.0, 1.0, 0.2) == "kept"
    assert keeping(0.0, 1.0, None) == "not shown"  # without an interval nothing is shown
