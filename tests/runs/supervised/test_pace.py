"""How fast a training goes where nobody said: by whether the model knows anything yet."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests import tiny
from tests.families import every_family
from tests.runs.supervised.conftest import ROWS, Given
from unsee.runs.supervised.pace import NOTHING, Pace, pace_of, uncertainty
from unsee.vlm import LoadedModel

DEFAULTS = {"learning_rate": None, "max_steps": None, "batch_size": 2}


def sure(loaded: LoadedModel) -> LoadedModel:
    """The same model, as certain of what it says as one that has learned something, be it wrong."""
    model: torch.nn.Module = loaded.model
    with torch.no_grad():
        model.get_output_embeddings().weight.mul_(100)  # type: ignore[operator]
    return loaded


@every_family
def test_random_weights_are_known_by_their_uncertainty(build: Callable[[], LoadedModel]) -> None:
    assert NOTHING < uncertainty(build(), tiny.examples(4)) <= 1
    assert uncertainty(sure(build()), tiny.examples(4)) < NOTHING


def test_a_model_that_knows_something_moves_little_and_one_that_knows_nothing_far(given: Given) -> None:
    assert pace_of(given(**DEFAULTS), tiny.llava(), ROWS) == Pace(1e-3, steps=120, warmup_steps=6, from_nothing=True)
    assert pace_of(given(**DEFAULTS), sure(tiny.llava()), ROWS) == Pace(1e-5, 15, 1, from_nothing=False)
    assert pace_of(given(**DEFAULTS, lora=4), sure(tiny.llava()), ROWS) == Pace(1e-4, 15, 1, from_nothing=False)


def test_what_was_said_holds(given: Given) -> None:
    said = {**DEFAULTS, "learning_rate": 3e-4, "warmup_steps": 0, "epochs": 2, "gradient_accumulation": 2}
    assert pace_of(given(**said), tiny.llava(), ROWS) == Pace(3e-4, 3, 0, from_nothing=True)
    assert pace_of(given(**{**said, "max_steps": 9}), tiny.llava(), ROWS).steps == 9


def test_warm_up_has_an_end(given: Given) -> None:
    assert pace_of(given(**{**DEFAULTS, "max_steps": 10_000}), tiny.llava(), ROWS).warmup_steps == 100


def test_uncertainty_by_hand() -> None:
    """Logits that are all the same are as uncertain as can be: entropy ln V over ln V."""
    loaded = tiny.llava()
    with torch.no_grad():
        loaded.model.get_output_embeddings().weight.zero_()  # type: ignore[operator]
    assert uncertainty(loaded, ROWS) == pytest.approx(1.0)
