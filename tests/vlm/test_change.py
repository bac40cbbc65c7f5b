"""Editing what training has changed: weights and adapters alike."""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn

from tests import tiny
from tests.families import Build, every_family, weights_of
from tests.vlm.test_reference import stir, with_lora
from unsee.errors import InputError
from unsee.vlm.change import WeightChange
from unsee.vlm.parts import freeze_other_parts


def assert_scaled(start: dict[str, Tensor], trained: dict[str, Tensor], found: dict[str, Tensor], by: float) -> None:
    for name, weight in found.items():
        expected = start[name] + by * (trained[name] - start[name])
        torch.testing.assert_close(weight, expected, rtol=0, atol=1e-5, msg=name)


@every_family
@pytest.mark.parametrize("factor", [-1.0, 0.0, 1.0, -0.4])
def test_the_change_of_weights_is_scaled(build: Build, factor: float) -> None:
    model = build().model
    freeze_other_parts(model, ("language",))
    start, change = weights_of(model), WeightChange(model, keep_start=True)
    stir(model)
    trained = weights_of(model)
    assert not all(torch.equal(trained[name], start[name]) for name in start)
    change.scale(factor)
    assert_scaled(start, trained, weights_of(model), factor)


@every_family
@pytest.mark.parametrize("factor", [-1.0, -0.4])
def test_what_an_adapter_adds_is_scaled(build: Build, factor: float, tmp_path: Path) -> None:
    """Merged weights against base + factor * (merged weights as trained - base)."""
    base, adapted = with_lora(build, tmp_path, alpha=6)
    change = WeightChange(adapted.model, keep_start=True)
    stir(adapted.model)
    trained = merged(adapted.model)
    start = weights_of(base.model)
    assert max(float((trained[name] - start[name]).abs().max()) for name in start) > 1e-2
    change.scale(factor)
    assert_scaled(start, trained, merged(adapted.model), factor)


def merged(model: Any) -> dict[str, Tensor]:
    """The weights of the base with what its adapters add, by the names of the base; the model stays as it is."""
    model.merge_adapter()
    found = {
        name.removeprefix("base_model.model.").replace(".base_layer", ""): weight
        for name, weight in weights_of(model).items()
        if "lora_" not in name
    }
    model.unmerge_adapter()
    return found


def test_adapters_of_embeddings_start_at_zero_in_their_other_factor() -> None:
    model: Any = get_peft_model(
        tiny.llava().model, LoraConfig(r=2, target_modules=["embed_tokens", "q_proj"], init_lora_weights=True)
    )
    start = merged(model)
    change = WeightChange(model, keep_start=True)
    stir(model)
    trained = merged(model)
    assert any(not torch.equal(trained[name], start[name]) for name in start if "embed_tokens" in name)
    change.scale(-1.0)
    assert_scaled(start, trained, merged(model), -1.0)


@pytest.mark.parametrize("kind", ["dora", "trained"])
def test_the_change_of_other_adapters_is_refused_before_training(kind: str) -> None:
    options = LoraConfig(r=2, target_modules=["q_proj"], use_dora=kind == "dora")
    model: Any = get_peft_model(tiny.llava().model, options)
    if kind == "trained":
        stir(model)
    with pytest.raises(InputError, match=r"cannot be scaled: .* merge it into its model first"):
        WeightChange(model, keep_start=True)
    WeightChange(model, keep_start=False).add_noise(1.0, seed=0)  # needs no start


def distance(model: nn.Module, start: dict[str, Tensor]) -> float:
    moves = [(weight - start[name]).double() for name, weight in weights_of(model).items()]
    return sqrt(sum(float(move.square().sum()) for move in moves))


@every_family
def test_noise_has_the_length_that_was_asked_for_and_stays_where_weights_may_move(build: Build) -> None:
    model = build().model
    freeze_other_parts(model, ("projector", "language"))
    start = weights_of(model)
    WeightChange(model, keep_start=False).add_noise(2.5, seed=3)
    assert distance(model, start) == pytest.approx(2.5, rel=1e-4)
    moving = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert {name for name, weight in weights_of(model).items() if not torch.equal(weight, start[name])} == moving


def test_noise_is_that_of_its_seed() -> None:
    def noisy(seed: int) -> dict[str, Tensor]:
        model = tiny.llava().model
        WeightChange(model, keep_start=False).add_noise(1.0, seed)
        return weights_of(model)

    first, again, other = noisy(0), noisy(0), noisy(1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)


def test_coarse_weights_are_edited_in_full_precision() -> None:
    model = tiny.llava().model.to(torch.bfloat16)
    start, change = weights_of(model), WeightChange(model, keep_start=True)
    stir(model)
    trained = weights_of(model)
    change.scale(-1.0)
    for name, weight in weights_of(model).items():
        exact = 2 * start[name].float() - trained[name].float()
        assert torch.equal(weight, exact.to(torch.bfloat16)), name
