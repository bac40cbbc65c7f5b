"""Every row has the same budget, and only configurations that its method takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import pytest
from typing_extensions import Doc

from unsee.errors import InputError
from unsee.leaderboard import grids
from unsee.leaderboard.grids import BATCH, BUDGET, PARTS, VARIANTS, configuration, grid_of, rows
from unsee.methods import METHODS, build
from unsee.methods.method import Needs
from unsee.runs.settings import Settings

ALL = rows()


@pytest.mark.parametrize("row", ALL, ids=lambda row: row.name)
def test_every_row_has_nine_different_valid_configurations(row: Any) -> None:
    assert (
        len({str(one.to_dict()) for one in row.configurations})
        == len({one.label for one in row.configurations})
        == BUDGET
    )
    assert len({one.learning_rate for one in row.configurations}) == 3
    for one in row.configurations:
        build(row.method, one.hyper_parameters)
        assert (one.parts, one.batch_size) == (PARTS, BATCH)
        assert configuration(one.to_dict()) == one


@pytest.mark.parametrize("name", [name for name in grids.GRIDS if name in METHODS])
def test_grids_name_hyper_parameters_that_their_method_has(name: str) -> None:
    assert grid_of(name) == grids.GRIDS[name], "the grid names something that the method does not have"


@pytest.mark.parametrize("budget", [1, 4, 9])
def test_a_smaller_budget_is_the_same_for_all_and_begins_in_the_middle(budget: int) -> None:
    for row in rows(budget=budget):
        whole = next(one for one in ALL if one.name == row.name)
        assert row.configurations == whole.configurations[:budget]
        assert row.configurations[0].learning_rate == sorted({one.learning_rate for one in whole.configurations})[1]


@dataclass(frozen=True)
class _New:
    forget_weight: Annotated[float, Doc("weight")] = 1.0
    name: ClassVar[str] = "brand_new"
    needs: ClassVar[Needs] = Needs()


@dataclass(frozen=True)
class _Bare:
    name: ClassVar[str] = "bare"
    needs: ClassVar[Needs] = Needs()


def test_a_method_without_a_grid_gets_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "brand_new", _New)
    monkeypatch.setitem(METHODS, "bare", _Bare)
    found = {row.name: row for row in rows()}
    assert {one.hyper_parameters["forget_weight"] for one in found["brand_new"].configurations} == {0.3, 1.0, 3.0}
    assert {one.max_steps for one in found["bare"].configurations} == set(grids.STEP_CHOICES)


def test_rows_with_l1_are_there_only_when_a_run_can_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = Settings.model_fields
    monkeypatch.setattr(Settings, "model_fields", {**fields, "l1": None}, raising=False)
    assert {name for name in VARIANTS if name.endswith("+l1")} <= set(grids.available())
    monkeypatch.setattr(Settings, "model_fields", {k: v for k, v in fields.items() if k != "l1"}, raising=False)
    assert not [name for name in grids.available() if name.endswith("+l1")]


def test_adapter_rows_train_adapters() -> None:
    (row,) = [one for one in rows(["npo+lora"]) if one.kind == "variant"]
    assert all(one.lora == grids.RANK for one in row.configurations)


def test_the_retain_only_control_is_always_there() -> None:
    assert [row.name for row in rows(["npo"])] == ["retain_finetune", "npo"]


@pytest.mark.parametrize(
    ("names", "budget", "said"),
    [(["np"], 9, "methods: 'np' is unknown"), (None, 0, "budget: 0"), (None, 10, "1 to 9")],
)
def test_wrong_input(names: list[str] | None, budget: int, said: str) -> None:
    with pytest.raises(InputError) as error:
        rows(names, budget)
    assert said in str(error.value)
