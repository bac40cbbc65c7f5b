"""What a method does once: before the first step, and after the last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import TrainerCallback

from tests import tiny
from tests.families import Build, each_family, weights_of
from tests.training.test_trainer import FORGET, RETAIN, adapted, logged, same, trained, trainer_of
from tests.vlm.test_change import assert_scaled, distance, merged
from unsee.errors import InputError
from unsee.methods import Needs, Term, UnlearnBatch, build
from unsee.system.files import read_json, write_json
from unsee.training.checkpoints import latest_checkpoint
from unsee.training.config import UnlearnConfig
from unsee.training.trainer import UnlearnTrainer
from unsee.vlm import Policy, load
from unsee.vlm.change import WeightChange
from unsee.vlm.parts import freeze_other_parts
from unsee.vlm.reference import CachedReference


@dataclass
class Hooked:
    """Prepares a number, descends along it, and counts how often it is asked to finish."""

    name: ClassVar[str] = "hooked"
    paper: ClassVar[str] = "none"
    needs: ClassVar[Needs] = Needs(start=True)
    prepared: list[int] = field(default_factory=list, repr=False)
    finished: list[dict[str, Tensor]] = field(default_factory=list, repr=False)

    def prepare(self, policy: Policy, seed: int, batch_size: int) -> dict[str, Tensor]:
        self.prepared.append(batch_size)
        return {"slope": torch.tensor([0.5 + seed])}

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Any) -> Iterator[Term]:
        yield Term("forget", batch.prepared["slope"][0] * policy.model.get_parameter("lm_head.weight")[0].sum())

    def finish(self, change: WeightChange, seed: int) -> None:
        self.finished.append(weights_of(change.model))
        change.scale(-1.0)


class StopAt(TrainerCallback):
    """Interrupts a training as a broken machine would, for the trainer's code to see."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.step:
            raise KeyboardInterrupt


def head(weights: dict[str, Tensor]) -> Tensor:
    return weights["lm_head.weight"][0]


SGD: dict[str, Any] = {"optim": "sgd", "learning_rate": 0.1, "max_grad_norm": 0.0, "seed": 0}


def test_what_is_prepared_reaches_the_terms_and_the_end_comes_once(tmp_path: Path) -> None:
    method, start = Hooked(), weights_of(tiny.llava().model)
    trainer = trained(tiny.llava(), method, tmp_path, **SGD)
    assert method.prepared == [4]
    assert len(method.finished) == 1
    # Two steps down a slope of 0.5 at rate 0.1 are -0.1; negated +0.1.
    torch.testing.assert_close(head(method.finished[0]), head(start) - 0.1, rtol=0, atol=1e-6)
    torch.testing.assert_close(head(weights_of(trainer.policy_model)), head(start) + 0.1, rtol=0, atol=1e-6)


def test_checkpoints_hold_the_weights_before_the_end(tmp_path: Path) -> None:
    method = Hooked()
    trained(tiny.llava(), method, tmp_path, save_strategy="steps", save_steps=1, **SGD)
    last = latest_checkpoint(tmp_path)
    assert last is not None
    stored = weights_of(load(last, device="cpu").model)
    assert torch.equal(head(stored), head(method.finished[0]))


def test_a_training_that_breaks_off_is_not_finished(tmp_path: Path) -> None:
    method = Hooked()
    with pytest.raises(KeyboardInterrupt):
        trained(tiny.llava(), method, tmp_path, callbacks=[StopAt(1)])
    assert method.finished == []


# name, whether the model is adapted, and where the run breaks off: midway, or after the last checkpoint
BROKEN = [("sku", False, 3), ("sku", False, 5), ("sku", True, 3), ("sku", True, 5)]
BROKEN += [("rmu", False, 3), ("scrub", True, 3), ("random_noise", False, 0)]


@pytest.mark.parametrize(("name", "lora", "step"), BROKEN)
def test_an_interrupted_run_ends_with_the_very_same_weights(name: str, lora: bool, step: int, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"max_steps": 5, "save_strategy": "steps", "save_steps": 1 if step == 5 else 2}

    def begun(folder: str, *callbacks: TrainerCallback) -> UnlearnTrainer:
        loaded = adapted(tiny.llava, tmp_path / "base") if lora else tiny.llava()
        kept = str(tmp_path / folder / "prepared.safetensors")
        (tmp_path / folder).mkdir(exist_ok=True)
        return trainer_of(loaded, name, tmp_path / folder, callbacks=[*callbacks], prepared_file=kept, **settings)

    whole = begun("whole")
    whole.train()
    broken = begun("part", StopAt(step))
    if name == "random_noise":  # takes no step that could be interrupted
        broken.train()
    else:
        with pytest.raises(KeyboardInterrupt):
            broken.train()
    again, last = begun("part"), latest_checkpoint(tmp_path / "part")
    assert (last is None) == (name == "random_noise")
    again.train(resume_from_checkpoint=str(last) if last else None)
    assert same(weights_of(again.policy_model), weights_of(whole.policy_model))
    assert not same(weights_of(begun("start").policy_model), weights_of(whole.policy_model))


def test_what_is_prepared_is_kept_with_the_run(tmp_path: Path) -> None:
    path = tmp_path / "prepared.safetensors"

    def prepared(seed: int = 0, loaded: Any = None, **values: Any) -> Tensor:
        trainer = trainer_of(loaded or tiny.llava(), "rmu", tmp_path, values=values, seed=seed, prepared_file=str(path))
        return trainer.prepared["control"]

    first = prepared()
    assert torch.equal(load_file(path)["control"], first)
    # Other numbers under the same key show that they are read.
    with safe_open(path, framework="pt") as stored:
        key = stored.metadata()
    save_file({"control": first + 1}, path, metadata=key)
    assert torch.equal(prepared(), first + 1)
    # Another seed, other hyper-parameters and another model make them anew.
    assert not torch.equal(prepared(seed=1), first + 1)
    assert torch.equal(prepared(), first)
    for other in ({"coefficient": 2.0}, {"loaded": tiny.llava(seed=1)}):
        save_file({"control": first + 1}, path, metadata=key)
        assert torch.equal(prepared(**other), first)


@each_family
@pytest.mark.parametrize("lora", [False, True], ids=["weights", "lora"])
def test_sku_subtracts_what_it_has_trained(build: Build, lora: bool, tmp_path: Path) -> None:
    def outcome(scale: float) -> tuple[dict[str, Tensor], UnlearnTrainer]:
        loaded = adapted(build, tmp_path / "base", alpha=4) if lora else build()
        trainer = trained(loaded, "sku", tmp_path, values={"scale": scale}, max_steps=4, learning_rate=1e-3)
        return (merged(loaded.model) if lora else weights_of(loaded.model)), trainer

    start = weights_of(build().model)
    (none, _), (half, _), (whole, trainer) = outcome(0.0), outcome(0.5), outcome(1.0)
    assert_scaled(start, start, none, 0.0)
    trained_weights = {name: 2 * start[name] - weight for name, weight in whole.items()}
    assert_scaled(start, trained_weights, half, -0.5)
    batch = trainer.encoder.batch(FORGET)
    models = [model.eval() for model in (build().model, trainer.policy_model)]
    with torch.no_grad():
        before, after = (Policy(model).answer_log_probs(batch).mean() for model in models)
    assert after < before  # trained to say it, and turned round


@each_family
def test_rmu_moves_forget_states_and_holds_retain_states(build: Build, tmp_path: Path) -> None:
    loaded = build()
    values = {"depth": 0.5, "retain_weight": 10.0}
    trainer = trained(
        loaded, "rmu", tmp_path, values=values, max_steps=12, learning_rate=0.003, per_device_train_batch_size=8
    )
    losses, held = logged(trainer, "forget_loss"), logged(trainer, "retain_loss")
    assert losses[-1] < 0.9 * losses[0]
    assert held[0] == pytest.approx(0.0, abs=1e-9)
    assert 0 < held[-1] < losses[0]


@each_family
@pytest.mark.parametrize("lora", [False, True], ids=["weights", "lora"])
def test_random_noise_takes_no_step_and_moves_by_its_norm(build: Build, lora: bool, tmp_path: Path) -> None:
    loaded = adapted(build, tmp_path / "base") if lora else build()
    freeze_other_parts(loaded.model, ("language",))
    start = weights_of(loaded.model)
    trainer = trained(loaded, "random_noise", tmp_path, values={"norm": 0.7}, retain=())
    assert trainer.state.global_step == 0
    assert distance(loaded.model, start) == pytest.approx(0.7, rel=1e-4)
    moving = {name for name, weight in loaded.model.named_parameters() if weight.requires_grad}
    assert {name for name, weight in weights_of(loaded.model).items() if not torch.equal(weight, start[name])} == moving


def test_scrub_turns_with_the_epochs_of_the_forget_set(tmp_path: Path) -> None:
    # 8 examples at 4 a step: epochs of two steps.
    trainer = trained(tiny.llava(), "scrub", tmp_path, forget=FORGET[:8], max_steps=8, values={"max_epochs": 1})
    steps = [{key for key in entry if key.endswith("_loss")} for entry in trainer.state.log_history if "loss" in entry]
    turns = ["forget_loss" if "forget_loss" in found else "retain_loss" for found in steps]
    assert turns == ["retain_loss"] * 2 + ["forget_loss"] * 2 + ["retain_loss"] * 4
    assert logged(trainer, "forget_loss")[-1] < logged(trainer, "forget_loss")[0] < 0


def test_remembered_log_probs_belong_to_their_chat_template_and_their_scale(tmp_path: Path) -> None:
    path = tmp_path / "reference.safetensors"
    trained(adapted(tiny.llava, tmp_path / "base"), "grad_diff", tmp_path).save_model(str(tmp_path / "adapter"))

    def remembered(template: str = "", alpha: int = 16) -> Tensor:
        config = tmp_path / "adapter" / "adapter_config.json"
        write_json(config, {**read_json(config), "lora_alpha": alpha})
        loaded = load(tmp_path / "adapter", device="cpu")
        loaded.processor.chat_template += template
        reference = trainer_of(loaded, "npo", tmp_path, reference_file=str(path)).reference
        assert isinstance(reference, CachedReference)
        with torch.no_grad():
            afresh = Policy(loaded.model.eval()).answer_log_probs(loaded.encoder.batch(FORGET))
        torch.testing.assert_close(reference.log_probs[: len(FORGET)], afresh, rtol=0, atol=1e-4)
        return reference.log_probs

    first = remembered()
    assert not torch.allclose(remembered(alpha=80), first, atol=1e-3)
    assert not torch.allclose(remembered(template="Well:"), first, atol=1e-3)


# What is refused.


def test_an_adapter_that_cannot_be_negated_is_refused_before_the_first_step(tmp_path: Path) -> None:
    first = trained(adapted(tiny.llava, tmp_path / "base"), "grad_diff", tmp_path, learning_rate=0.1)
    first.save_model(str(tmp_path / "adapter"))
    trainer = trainer_of(load(tmp_path / "adapter", device="cpu"), "sku", tmp_path)
    with pytest.raises(InputError, match="cannot be scaled"):
        trainer.train()
    assert trainer.state.global_step == 0


def test_weight_decay_that_would_move_masked_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"weight_decay=0.01 would move .* set it to 0"):
        trainer_of(tiny.llava(), "mmunlearner", tmp_path, weight_decay=0.01)
    assert trained(tiny.llava(), "grad_diff", tmp_path, weight_decay=0.01).mask is None


def test_several_accelerators_in_one_process_are_not_used_behind_ones_back(tmp_path: Path) -> None:
    args = UnlearnConfig(
        output_dir=str(tmp_path), use_cpu=True, report_to="none", max_steps=1, per_device_train_batch_size=4
    )
    assert args.n_gpu == 0
    args._n_gpu = 2  # as transformers finds on a machine with two
    with pytest.warns(UserWarning, match="of 2 GPUs one is used; run `accelerate launch --num_processes 2`"):
        trainer = UnlearnTrainer(tiny.llava(), args, method=build("grad_diff"), forget=FORGET, retain=RETAIN)
    assert trainer.args.n_gpu == 1
    assert trainer.effective_batch == 4
    trainer.train()
    assert args.n_gpu == 2
