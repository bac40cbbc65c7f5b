"""Before anything has moved, policy and reference are one model in one precision, whatever the reference is made of."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from math import log
from pathlib import Path
from typing import Any

import pytest
import torch

from tests import tiny
from tests.training.test_trainer import adapted, logged, same, trained, trainer_of
from tests.vlm.test_matrix import spanned
from unsee.methods import METHODS, UnlearnBatch
from unsee.methods import build as build_method
from unsee.training.guard import HeldOutGuard
from unsee.training.saliency import SaliencyMask
from unsee.training.trainer import UnlearnTrainer
from unsee.vlm import Batch, LoadedModel, Policy
from unsee.vlm.reference import CopyReference

FORGET, RETAIN = [spanned(row) for row in tiny.examples(8)], tiny.examples(8, seed=1)
COMPARING = [name for name in METHODS if build_method(name).needs.reference != "nothing"]
each_kind = pytest.mark.parametrize("lora", [False, True], ids=["weights", "lora"])
each_precision = pytest.mark.parametrize(
    "half", [pytest.param(False, id="float32", marks=pytest.mark.slow), pytest.param(True, id="bfloat16")]
)


def model_of(lora: bool, folder: Path) -> LoadedModel:
    return adapted(tiny.llava, folder / "base") if lora else tiny.llava()


def autocast(half: bool) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: torch.autocast("cpu", torch.bfloat16) if half else nullcontext()


@pytest.mark.parametrize("name", COMPARING)
@each_kind
@each_precision
def test_the_first_step_is_that_of_two_equal_models(name: str, lora: bool, half: bool, tmp_path: Path) -> None:
    trainer = trainer_of(model_of(lora, tmp_path), name, tmp_path, forget=FORGET, retain=RETAIN, bf16=half, max_steps=1)
    expected = terms_of_two(trainer, Policy(model_of(lora, tmp_path).model, autocast(half)))
    assert expected
    trainer.train()
    found = {key: logged(trainer, f"{key}_loss")[0] for key in expected}
    assert found == pytest.approx(expected, rel=0, abs=1e-6)


def terms_of_two(trainer: UnlearnTrainer, policy: Policy) -> dict[str, float]:
    """The terms of the trainer's first batch, from a model and its copy."""
    roles: dict[str, Any] = {role: Batch.from_dict(parts) for role, parts in trainer._collate([0, 1, 2, 3]).items()}
    batch = UnlearnBatch(**{"forget": None, "retain": None, **roles}, prepared=trainer.prepared)
    return {term.name: term.value.item() for term in trainer.method.terms(batch, policy, CopyReference(policy))}


@each_kind
@pytest.mark.parametrize("accumulation", [1, 2])
@pytest.mark.parametrize(
    ("name", "key", "expected"),
    [("npo", "forget_loss", 2 / 0.1 * log(2)), ("kl", "retain_loss", 0.0), ("rmu", "retain_loss", 0.0)],
)
def test_nothing_is_far_from_itself_in_half_precision(
    name: str, key: str, expected: float, accumulation: int, lora: bool, tmp_path: Path
) -> None:
    trainer = trained(
        model_of(lora, tmp_path), name, tmp_path, bf16=True, max_steps=1, gradient_accumulation_steps=accumulation
    )
    assert logged(trainer, key) == [pytest.approx(expected, abs=1e-6)]


def test_a_guard_sees_no_fall_where_nothing_moves(tmp_path: Path) -> None:
    loaded = tiny.llava()
    guard = HeldOutGuard(loaded.encoder, RETAIN, drop=1e-9, every=1, batch_size=3)
    trained(loaded, "grad_diff", tmp_path, callbacks=[guard], bf16=True, learning_rate=1e-30)
    assert guard.stopped is None
    assert [look["watched"] for look in guard.history] == [guard.start] * 3
    exact = HeldOutGuard(loaded.encoder, RETAIN, drop=1.0, every=1, batch_size=3)
    exact.begin(Policy(tiny.llava().model))
    assert guard.start != exact.start  # half precision it is


def test_a_mask_is_made_in_the_precision_of_the_training(tmp_path: Path) -> None:
    loaded = tiny.llava()
    trainer = trainer_of(loaded, "mmunlearner", tmp_path, forget=FORGET, retain=RETAIN, bf16=True)
    images, words = ([row for row in RETAIN if (row.image is None) == blind] for blind in (False, True))
    forget, seen, read = ([loaded.encoder.batch(rows)] for rows in (FORGET, images, words))
    half, whole = (
        SaliencyMask.build(Policy(tiny.llava().model, autocast(half)), forget, seen, read) for half in (True, False)
    )
    assert trainer.mask is not None
    assert same(trainer.mask.bits, half.bits)
    assert not same(trainer.mask.bits, whole.bits)


def test_a_model_is_not_left_in_the_precision_of_a_training(tmp_path: Path) -> None:
    """What is measured with it afterwards, or trained by another trainer, is computed as it was loaded."""
    loaded = tiny.llava()
    trained(loaded, "npo", tmp_path, bf16=True, learning_rate=1e-30)
    batch = loaded.encoder.batch(RETAIN[:2])
    with torch.no_grad():
        after, before = (Policy(one.model.eval()).answer_log_probs(batch) for one in (loaded, tiny.llava()))
    assert torch.equal(after, before)
