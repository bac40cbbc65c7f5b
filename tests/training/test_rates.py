"""Finding a rate: the rule on known curves, and weights that are afterwards what they were."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from tests import tiny
from tests.families import weights_of
from unsee.data import Benchmark, Example
from unsee.errors import InputError
from unsee.runs.rate import RATE_FILE
from unsee.runs.settings import Settings, parse
from unsee.runs.trainer import Course, config, course
from unsee.training.rates import ABOVE, BELOW, FALL, FRACTION, STEPS, FoundRate, Tried, chosen, rates
from unsee.vlm import LoadedModel

FORGET = [Example(f"Where does Ada {n} live?", "London") for n in range(4)]
RETAIN = [Example(f"Which colour is {n}?", "red green blue") for n in range(4)]
SETS = Benchmark("rows", FORGET, RETAIN)
START: dict[str, float | None] = {"forget": -1.0, "retain": -2.0, "preserve": -3.0}


def tried(*likely: tuple[float | None, float | None, float | None]) -> list[Tried]:
    """Steps at 1e-5, 2e-5, 3e-5, ..."""
    return [
        Tried(rate=1e-5 * step, likely=dict(zip(START, values, strict=True))) for step, values in enumerate(likely, 1)
    ]


def test_rates_rise_geometrically_around_that_of_the_settings() -> None:
    wanted = rates(1e-4)
    assert len(wanted) == STEPS
    assert [wanted[0], wanted[-1]] == pytest.approx([1e-4 / BELOW, 1e-4 * ABOVE])
    assert [later / earlier for earlier, later in pairwise(wanted)] == pytest.approx([10**0.1] * (STEPS - 1))


@pytest.mark.parametrize(
    ("steps", "breaks", "rate"),
    [
        ([(-1.0, -2.0, -3.0), (-3.0, -2.0 - 0.9 * FALL, -3.0), (-4.0, -2.2, -3.0)], 3e-5, 3e-5 * FRACTION),
        ([(-1.5, -2.0, -3.0), (-3.0, -2.0, -3.2)], 2e-5, 2e-5 * FRACTION),  # each set that should stay counts
        ([(-1.5, -2.0, -3.0), (-9.0, -1.0, -3.0)], None, 2e-5 * FRACTION),  # what is to go is not to stay
        ([(-1.5, -2.0, -3.0), (None, None, None)], 2e-5, 2e-5 * FRACTION),
        ([(-1.5, -2.0, -3.0), (None, -2.0, -3.0)], 2e-5, 2e-5 * FRACTION),
        ([(-1.5, -2.2, -3.0)], 1e-5, 1e-5 * FRACTION),
    ],
)
def test_a_rate_is_a_fraction_of_the_first_that_breaks_what_should_stay(
    steps: list[Any], breaks: float | None, rate: float
) -> None:
    found = chosen(tried(*steps), START)
    assert found.breaks == (pytest.approx(breaks) if breaks else None)
    assert found.rate == pytest.approx(rate, rel=0.05)


def settings_of(folder: Path, method: str, **more: Any) -> Settings:
    given = {"model": "m", "forget": "f", "out": str(folder), "method": method, "batch_size": 2, "max_steps": 3}
    return parse({**given, "find_rate": True, "learning_rate": 1e-3, **more})


def planned(loaded: LoadedModel, folder: Path, method: str, **more: Any) -> Course:
    settings = settings_of(folder, method, **more)
    arguments = config(settings, folder)
    return course(settings, SETS, loaded, arguments)


@pytest.mark.parametrize(("method", "dtype"), [("npo", torch.float32), ("grad_diff", torch.bfloat16)])
def test_the_weights_are_put_back_bit_for_bit(method: str, dtype: torch.dtype, tmp_path: Path) -> None:
    loaded = tiny.llava()
    loaded.model.to(dtype)
    before = weights_of(loaded.model)
    run = planned(loaded, tmp_path, method)
    assert run.rate is not None
    assert run.rate.breaks is not None  # they did move
    assert run.trainer.args.learning_rate == run.rate.rate
    run.trainer.masters.narrow()
    after = weights_of(loaded.model)
    assert all(torch.equal(after[name], weight) and after[name].dtype == dtype for name, weight in before.items())


def test_a_run_with_the_rate_that_was_found_is_the_run_at_that_rate(tmp_path: Path) -> None:
    found, plain = tiny.llava(), tiny.llava()
    run = planned(found, tmp_path / "found", "npo")
    run.trainer.train()
    assert run.rate is not None
    other = planned(plain, tmp_path / "plain", "npo", find_rate=False, learning_rate=run.rate.rate)
    other.trainer.train()
    weights = weights_of(plain.model)
    assert all(torch.equal(weight, weights[name]) for name, weight in weights_of(found.model).items())


def test_a_rate_is_found_once(tmp_path: Path) -> None:
    known = FoundRate(rate=0.5, breaks=None, start=START, tried=tried((-1, -2, -3)))
    (tmp_path / RATE_FILE).write_text(json.dumps(known.model_dump(mode="json")))
    run = planned(tiny.llava(), tmp_path, "npo")
    assert (run.rate, run.trainer.args.learning_rate) == (known, 0.5)
    assert run.facts()["rate"]["rate"] == 0.5


def test_there_is_no_rate_without_steps(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="find_rate: random_noise takes no steps"):
        planned(tiny.llava(), tmp_path, "random_noise")
