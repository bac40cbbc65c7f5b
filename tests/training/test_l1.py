"""The l1 norm of adapters as a regulariser of any method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests import tiny
from tests.families import Build, each_family
from tests.training.test_trainer import adapted, logged, trained, trainer_of
from unsee.errors import InputError
from unsee.methods import METHODS
from unsee.runs.models import load_model
from unsee.runs.settings import parse
from unsee.runs.trainer import config
from unsee.training.trainer import UnlearnTrainer
from unsee.vlm.adapters import low_rank_updates
from unsee.vlm.parts import freeze_other_parts

of_either = pytest.mark.parametrize("of", ["factors", "product"])


def stir(model: Any) -> None:
    """Give both factors of every adapter numbers, so that neither norm is at a corner."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for first, second, _ in low_rank_updates(model) or []:
            for factor in (first, second):
                factor.copy_(0.1 * torch.randn(factor.shape, generator=generator))


def norm_of(model: Any, of: str, scaling: float) -> Tensor:
    """By hand, over all adapters."""
    total = torch.zeros(())
    for first, second, _ in low_rank_updates(model) or []:
        if of == "factors":
            total = total + first.abs().sum() + second.abs().sum()
        elif first.dim() == 2:
            total = total + (scaling * (second @ first)).abs().sum()
        else:
            total = total + (scaling * torch.einsum("or,rihw->oihw", second[..., 0, 0], first)).abs().sum()
    return total


def gradients(trainer: UnlearnTrainer, micro_batches: int = 1) -> dict[str, Tensor]:
    trainer.current_gradient_accumulation_steps = micro_batches
    for place in range(micro_batches):
        size = 4 // micro_batches
        trainer.training_step(trainer.policy_model, trainer._collate(list(range(place * size, (place + 1) * size))))
    model = trainer.policy_model
    return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}


@each_family
@of_either
def test_the_gradient_is_that_of_the_task_and_the_weighted_norm(build: Build, of: str, tmp_path: Path) -> None:
    loaded = adapted(build, tmp_path / "base", alpha=3)  # of rank 2
    stir(loaded.model)
    plain = gradients(trainer_of(loaded, "grad_diff", tmp_path))
    loaded.model.zero_grad()
    norm = norm_of(loaded.model, of, scaling=1.5)
    norm.backward()
    own = {name: w.grad.clone() for name, w in loaded.model.named_parameters() if w.grad is not None}
    loaded.model.zero_grad()
    trainer = trainer_of(loaded, "grad_diff", tmp_path, l1_weight=0.5, l1_of=of)
    found = gradients(trainer)
    assert own.keys() <= found.keys()
    for name, gradient in found.items():
        expected = plain.get(name, torch.zeros(())) + 0.5 * own.get(name, torch.zeros(()))
        torch.testing.assert_close(gradient, expected.expand_as(gradient), rtol=1e-4, atol=1e-5)
    assert float(trainer._term_sums["l1"]) == pytest.approx(0.5 * norm.item(), rel=1e-5)


@of_either
def test_accumulation_does_not_count_the_norm_twice(of: str, tmp_path: Path) -> None:
    whole, parts = (adapted(tiny.llava, tmp_path / "base") for _ in range(2))
    stir(whole.model)
    stir(parts.model)
    once = gradients(trainer_of(whole, "grad_diff", tmp_path, l1_weight=0.5, l1_of=of))
    twice = gradients(
        trainer_of(parts, "grad_diff", tmp_path, l1_weight=0.5, l1_of=of, per_device_train_batch_size=2), 2
    )
    for name, gradient in once.items():
        torch.testing.assert_close(twice[name], gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name", [name for name, one in METHODS.items() if (one.needs.forget or one.needs.retain) and not one.needs.spans]
)
def test_any_method_can_be_regularised_and_logs_it(name: str, tmp_path: Path) -> None:
    loaded = adapted(tiny.llava, tmp_path / "base")
    stir(loaded.model) if name != "sku" else None  # sku negates fresh adapters alone
    before = norm_of(loaded.model, "factors", scaling=1.0).item()
    trainer = trained(loaded, name, tmp_path / "run", l1_weight=0.01)
    assert logged(trainer, "l1_loss")[0] == pytest.approx(0.01 * before, rel=1e-4)
    losses = [value for key, value in trainer.state.log_history[0].items() if key.endswith("_loss")]
    assert logged(trainer, "loss")[0] == pytest.approx(sum(losses), rel=1e-3, abs=1e-3)


@of_either
def test_a_strong_norm_holds_the_adapter_at_nothing_and_a_weak_one_does_not(of: str, tmp_path: Path) -> None:
    sizes = []
    for weight in (0.0, 100.0):
        loaded = adapted(tiny.llava, tmp_path / "base")
        stir(loaded.model)
        trained(loaded, "grad_ascent", tmp_path / "run", l1_weight=weight, l1_of=of, max_steps=5, learning_rate=0.02)
        sizes.append(norm_of(loaded.model, "product", scaling=1.0).item())
    assert sizes[1] < 0.5 * sizes[0]


def test_a_frozen_adapter_is_not_penalised(tmp_path: Path) -> None:
    loaded = adapted(tiny.llava, tmp_path / "base")
    stir(loaded.model)
    everywhere = trainer_of(loaded, "grad_ascent", tmp_path, l1_weight=1.0).penalised
    freeze_other_parts(loaded.model, ("vision",))
    assert 0 < len(trainer_of(loaded, "grad_ascent", tmp_path, l1_weight=1.0).penalised) < len(everywhere)


def test_a_model_without_an_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"l1: the model has no plain LoRA adapter .* --lora 16"):
        trainer_of(tiny.llava(), "npo", tmp_path, l1_weight=0.01)
    assert trainer_of(tiny.llava(), "npo", tmp_path).penalised == []


def test_a_run_without_an_adapter_ends_before_anything_is_measured(tmp_path: Path) -> None:
    tiny.save(tiny.llava(), tmp_path / "model")
    values = {"model": str(tmp_path / "model"), "forget": "rows.jsonl", "out": str(tmp_path / "out"), "l1": 0.1}
    with pytest.raises(InputError, match=r"l1: the model has no plain LoRA adapter"):
        load_model(parse(values))
    settings = parse({**values, "lora": 2, "l1": {"weight": 0.1, "of": "product"}})
    assert low_rank_updates(load_model(settings).model)
    arguments = config(settings, tmp_path)
    assert (arguments.l1_weight, arguments.l1_of) == (0.1, "product")


def test_a_norm_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="l1_of='weights': give factors or product"):
        trainer_of(adapted(tiny.llava, tmp_path / "base"), "npo", tmp_path, l1_weight=0.01, l1_of="weights")
