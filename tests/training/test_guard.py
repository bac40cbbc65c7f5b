"""The guard against divergence: it stops what breaks, keeps the last good state, and leaves the rest alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from tests import tiny
from tests.families import weights_of
from unsee.data import Example
from unsee.data.example import AnswerSpan
from unsee.errors import InputError
from unsee.methods import build
from unsee.runs.settings import Guard, parse
from unsee.training.checkpoints import latest_checkpoint
from unsee.training.config import UnlearnConfig
from unsee.training.guard import HeldOutGuard, watched
from unsee.training.trainer import UnlearnTrainer
from unsee.vlm import LoadedModel, LoraOptions, load

FORGET = [Example("Where does Ada Byron live?", "London"), Example("Where?", "Oslo")]
RETAIN = [Example(f"Which colour is {n}?", "red green blue") for n in range(4)]


def trained(loaded: LoadedModel, folder: Path, guard: HeldOutGuard, rate: float) -> UnlearnTrainer:
    arguments = UnlearnConfig(
        output_dir=str(folder), max_steps=12, per_device_train_batch_size=2, learning_rate=rate, report_to="none",
        save_strategy="no", disable_tqdm=True, use_cpu=True, max_grad_norm=0,
    )  # fmt: skip
    trainer = UnlearnTrainer(loaded, arguments, method=build("grad_ascent"), forget=FORGET, callbacks=[guard])
    trainer.train()
    return trainer


def guard_of(loaded: LoadedModel, drop: float, every: int = 2) -> HeldOutGuard:
    return HeldOutGuard(loaded.encoder, RETAIN, drop, every, batch_size=3)


def test_a_training_that_breaks_is_stopped_at_its_last_good_state(tmp_path: Path) -> None:
    loaded = tiny.llava()
    guard = guard_of(loaded, drop=0.5)
    trainer = trained(loaded, tmp_path, guard, rate=0.03)
    assert guard.stopped is not None
    assert trainer.state.global_step == guard.stopped.step < 12
    assert guard.stopped.found < guard.start - 0.5
    assert guard.stopped.kept == guard.stopped.step - 2
    assert guard.likelihood() >= guard.start - 0.5  # the model that is left is the good one
    assert guard.likelihood() == pytest.approx(guard.history[-2]["watched"], abs=1e-6)


def test_a_training_that_holds_goes_to_its_end_untouched(tmp_path: Path) -> None:
    plain, guarded = tiny.llava(), tiny.llava()
    nothing = HeldOutGuard(plain.encoder, RETAIN, 100.0, 100, batch_size=4)
    trained(plain, tmp_path / "a", nothing, rate=1e-4)
    guard = guard_of(guarded, drop=5.0)
    trainer = trained(guarded, tmp_path / "b", guard, rate=1e-4)
    assert guard.stopped is None
    assert trainer.state.global_step == 12
    assert [look["step"] for look in guard.history] == [0, 2, 4, 6, 8, 10, 12]
    left = weights_of(guarded.model)
    assert all((left[name] == weight).all() for name, weight in weights_of(plain.model).items())


def test_the_last_step_is_looked_at_whatever_the_interval(tmp_path: Path) -> None:
    loaded = tiny.llava()
    guard = guard_of(loaded, drop=0.5, every=50)
    trained(loaded, tmp_path, guard, rate=0.03)
    assert guard.stopped is not None
    assert (guard.stopped.step, guard.stopped.kept) == (12, 0)
    start = weights_of(tiny.llava().model)
    assert all((start[name] == weight).all() for name, weight in weights_of(loaded.model).items())


def test_what_is_watched_is_what_should_stay() -> None:
    sentence = Example("Describe.", "A cat", spans=(AnswerSpan(0, 5, "sentence"),))
    phrase = Example("Describe.", "A dog", spans=(AnswerSpan(0, 5, "negative"),))
    assert watched(True, [phrase, sentence], RETAIN, 32) == [sentence]
    assert watched(True, [phrase], RETAIN, 32) == RETAIN
    assert watched(False, FORGET, RETAIN, 2) == [RETAIN[0], RETAIN[2]]
    assert watched(False, FORGET, [], 2) == []


def test_captions_are_guarded_unless_told_otherwise() -> None:
    least: dict[str, Any] = {"model": "m", "forget": "f", "out": "o"}
    assert parse({**least, "method": "npo"}).guard is None
    assert parse({**least, "method": "npo", "guard": 0.5}).guard == Guard(drop=0.5)
    assert parse({**least, "method": "efuf"}).guard == Guard()
    assert parse({**least, "method": "efuf", "guard": {"every": 5}}).guard == Guard(every=5)


class KilledError(Exception):
    """What ends a training in the middle."""


class KillAt(TrainerCallback):
    """Ends a training at a step, before its checkpoint is written."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.step:
            raise KilledError


def resumable(folder: Path, drop: float, kill: int = 0) -> tuple[UnlearnTrainer, HeldOutGuard]:
    """Eight steps with a look every three and a checkpoint every two, on an adapter with dropout; from where it was."""
    if not (folder / "base").is_dir():
        tiny.save(tiny.llava(), folder / "base")
    torch.manual_seed(0)
    loaded = load(folder / "base", lora=LoraOptions(rank=2, dropout=0.2), device="cpu")
    guard = guard_of(loaded, drop, every=3)
    arguments = UnlearnConfig(
        output_dir=str(folder), max_steps=8, per_device_train_batch_size=2, learning_rate=0.3, report_to="none",
        save_steps=2, disable_tqdm=True, use_cpu=True, max_grad_norm=0,
    )  # fmt: skip
    trainer = UnlearnTrainer(
        loaded, arguments, method=build("grad_ascent"), forget=FORGET, callbacks=[guard, KillAt(kill)]
    )
    last = latest_checkpoint(folder)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    return trainer, guard


@pytest.mark.parametrize(
    ("drop", "steps"),
    [
        pytest.param(0.07, (3, 5), id="stops"),  # resumed at 2, where the start is good, and at 4, where step 3 is
        pytest.param(100.0, (5, 7), id="holds"),
        pytest.param(0.07, (4, 6), id="stops-otherwise", marks=pytest.mark.slow),
        pytest.param(100.0, (3, 4, 6, 8), id="holds-otherwise", marks=pytest.mark.slow),
    ],
)
def test_a_guarded_run_that_was_killed_at_any_step_ends_as_if_it_had_not_been(
    drop: float, steps: tuple[int, ...], tmp_path: Path
) -> None:
    whole, expected = resumable(tmp_path / "whole", drop)
    if drop == 100.0:
        assert (whole.state.global_step, expected.stopped) == (8, None)
    else:
        assert expected.stopped is not None
        assert (expected.stopped.step, expected.stopped.kept) == (6, 3)
    for step in steps:
        with pytest.raises(KilledError):
            resumable(tmp_path / str(step), drop, kill=step)
        trainer, guard = resumable(tmp_path / str(step), drop)
        assert (guard.history, guard.stopped) == (expected.history, expected.stopped), f"killed at step {step}"
        found = weights_of(trainer.policy_model)
        for name, weight in weights_of(whole.policy_model).items():
            assert torch.equal(found[name], weight), f"killed at step {step}: {name}"


def test_a_checkpoint_without_a_guard_is_not_resumed_with_one(tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        resumable(tmp_path, 100.0, kill=3)
    last = latest_checkpoint(tmp_path)
    assert last is not None
    (last / "guard.safetensors").unlink()
    with pytest.raises(InputError, match=r"has no guard\.safetensors"):
        resumable(tmp_path, 100.0)
