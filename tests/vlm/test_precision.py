"""Weights in half precision are trained as those in float32 are, and come back in half precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import TrainerCallback

from tests import tiny
from tests.families import ALL_FAMILIES, weights_of
from tests.training.test_trainer import logged, same, trained, trainer_of
from unsee.training.checkpoints import latest_checkpoint
from unsee.training.trainer import UnlearnTrainer
from unsee.types import Part
from unsee.vlm import LoadedModel, LoraOptions, load
from unsee.vlm.precision import HALF

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
RATE = 1e-5


class Copy(TrainerCallback):
    """Remembers the weights as training leaves them, before they are rounded."""

    weights: dict[str, Tensor]

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.weights = weights_of(kwargs["model"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tiny.llava(), tmp_path_factory.mktemp("half") / "model")


def moved_by(folder: Path, dtype: str, out: Path, **settings: Any) -> Tensor:
    """How far every weight has moved, in units of the learning rate."""
    loaded, kept = load(folder, dtype=dtype, device="cpu"), Copy()
    start = weights_of(loaded.model)
    trained(loaded, "grad_diff", out, callbacks=[kept], learning_rate=RATE, **settings)
    return torch.cat([(weight - start[name]).abs().flatten() / RATE for name, weight in kept.weights.items()])


@each_dtype
def test_as_many_weights_move_as_in_float32(dtype: str, folder: Path, tmp_path: Path) -> None:
    half, whole = (float((moved_by(folder, kind, tmp_path) > 0.01).float().mean()) for kind in (dtype, "float32"))
    assert whole > 0.6
    assert half == pytest.approx(whole, abs=0.03)


@each_dtype
def test_the_first_step_moves_no_weight_by_more_than_the_learning_rate(
    dtype: str, folder: Path, tmp_path: Path
) -> None:
    assert float(moved_by(folder, dtype, tmp_path, max_steps=1).max()) < 1.01


@each_dtype
def test_what_was_trained_in_float32_is_rounded_once(dtype: str, folder: Path, tmp_path: Path) -> None:
    loaded, kept = load(folder, dtype=dtype, device="cpu"), Copy()
    trained(loaded, "grad_diff", tmp_path / "run", callbacks=[kept])
    for name, weight in loaded.model.named_parameters():
        assert kept.weights[name].dtype == torch.float32
        assert torch.equal(weight, kept.weights[name].to(DTYPES[dtype])), name
    tiny.save(loaded, tmp_path / "model")
    again = load(tmp_path / "model", dtype=dtype, device="cpu")
    assert same(weights_of(again.model), weights_of(loaded.model))


@pytest.mark.parametrize("name", ["sku", "random_noise"])
def test_an_edit_at_the_end_is_made_in_float32_too(name: str, folder: Path, tmp_path: Path) -> None:
    loaded, kept = load(folder, dtype="bfloat16", device="cpu"), Copy()
    kept.weights = start = {key: weight.float() for key, weight in weights_of(loaded.model).items()}
    values = {"norm": 0.05} if name == "random_noise" else {"scale": 0.5}
    trained(loaded, name, tmp_path, callbacks=[kept], values=values, learning_rate=1e-3)
    found = weights_of(loaded.model)
    if name == "sku":
        expected = {key: (start[key] - 0.5 * (kept.weights[key] - start[key])).bfloat16() for key in start}
        assert same(found, expected)
        assert not same(found, {key: weight.bfloat16() for key, weight in start.items()})
    else:
        length = sum(float((found[key].float() - weight).square().sum()) for key, weight in start.items()) ** 0.5
        assert length == pytest.approx(0.05, rel=0.05)


def half_run(folder: Path, model: Path, steps: int) -> UnlearnTrainer:
    """A run of four steps in half precision that ends early after some of them, or goes on from its checkpoint."""

    class Stop(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            control.should_training_stop = state.global_step == steps

    loaded = load(model, dtype="bfloat16", parts=("projector", "language"), device="cpu")
    trainer = trainer_of(
        loaded, "npo", folder, callbacks=[Stop()], max_steps=4, save_strategy="steps", save_steps=2, learning_rate=1e-4
    )
    last = latest_checkpoint(folder)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    return trainer


def test_a_run_in_half_precision_is_resumed_to_the_same_bits(folder: Path, tmp_path: Path) -> None:
    whole = half_run(tmp_path / "whole", folder, 4)
    half_run(tmp_path / "part", folder, 3)
    last = latest_checkpoint(tmp_path / "part")
    assert last is not None
    assert last.name == "checkpoint-2"
    resumed = half_run(tmp_path / "part", folder, 4)
    assert same(weights_of(resumed.policy_model), weights_of(whole.policy_model))
    assert logged(resumed, "forget_loss") == logged(whole, "forget_loss")


@each_dtype
def test_adapters_on_a_base_in_half_precision_are_trained_in_float32(dtype: str, folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    loaded = load(folder, dtype=dtype, lora=LoraOptions(rank=2), device="cpu")
    start = weights_of(loaded.model)
    trained(loaded, "npo", tmp_path, max_steps=1, learning_rate=RATE)
    change = {name: float((weight - start[name]).abs().max()) for name, weight in weights_of(loaded.model).items()}
    for name, weight in loaded.model.named_parameters():
        assert weight.dtype == (torch.float32 if "lora_" in name else DTYPES[dtype]), name
        assert change[name] <= 1.01 * RATE * ("lora_" in name), name
    assert sum(moved > 0 for moved in change.values()) > 10


def half(build: Any, dtype: str) -> LoadedModel:
    loaded: LoadedModel = build()
    loaded.model.to(DTYPES[dtype])
    return loaded


@pytest.mark.parametrize(
    "family",
    [pytest.param(one, marks=[] if one == "gemma3" else pytest.mark.slow) for one in ALL_FAMILIES],
)
@each_dtype
@pytest.mark.parametrize("part", ["vision", "projector", "language"])
def test_every_part_of_every_family_moves_beside_others_in_half_precision(
    part: Part, dtype: str, family: str, tmp_path: Path
) -> None:
    loaded = half(ALL_FAMILIES[family], dtype)
    tiny.save(loaded, tmp_path / "model")
    loaded = load(tmp_path / "model", dtype=dtype, parts=(part,), device="cpu")
    start = weights_of(loaded.model)
    trainer = trained(loaded, "grad_diff", tmp_path, max_steps=1)
    assert all(torch.isfinite(torch.tensor(logged(trainer, "grad_norm"))))
    moved = {name for name, weight in weights_of(loaded.model).items() if not torch.equal(weight, start[name])}
    assert moved
    assert all(weight.dtype in HALF for weight in loaded.model.parameters())
    assert moved <= {name for name, weight in loaded.model.named_parameters() if weight.requires_grad}
