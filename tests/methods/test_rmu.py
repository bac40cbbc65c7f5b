"""RMU: the direction is drawn once, and every position of a row is steered along it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests import tiny
from tests.families import Build, each_family
from tests.methods.test_terms import FORGET, Scripted, roles
from unsee.methods import UnlearnBatch
from unsee.methods import build as build_method
from unsee.methods.rmu import RMU
from unsee.vlm import Policy
from unsee.vlm.reference import CopyReference


def rmu(**values: Any) -> RMU:
    method = build_method("rmu", values)
    assert isinstance(method, RMU)
    return method


def drawn(seed: int = 0, batch_size: int = 2, **values: Any) -> Tensor:
    policy: Any = SimpleNamespace(hidden_size=64)
    control = rmu(**values).prepare(policy, seed, batch_size)["control"]
    assert isinstance(control, Tensor)
    return control


def test_the_direction_is_a_unit_vector_of_uniform_numbers_from_the_seed() -> None:
    control = drawn()
    assert control.shape == (64,)
    assert control.norm().item() == pytest.approx(1.0, abs=1e-6)
    assert (control >= 0).all()
    assert (control / control.max()).std() > 0.2  # uniform numbers, no constant
    assert torch.equal(drawn(), control)
    assert torch.equal(drawn(batch_size=7), control)
    assert not torch.allclose(drawn(seed=1), control, atol=0.01)


def test_in_clears_repository_the_rows_of_a_batch_share_the_length() -> None:
    control = drawn(variant="clear_repo", batch_size=2)
    assert control.shape == (2, 1, 64)
    assert control.norm().item() == pytest.approx(1.0, abs=1e-6)
    # Rows of about 1 / sqrt(2) each: 300 for the batch is 212 for a row.
    assert (300 * control).flatten(1).norm(dim=1).tolist() == pytest.approx([212, 212], rel=0.15)


def test_clears_repository_is_reproduced_under_its_name() -> None:
    # Hidden states of two rows, (1, 2), (3, 4) and (0, 0), (2, 2); vectors (3, 4), (0, 0): 30 / 8, see the losses.
    hidden = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [2.0, 2.0]]])
    states = replace(FORGET, inputs={"policy": hidden, "reference": hidden + torch.tensor([1.0, 0.0])})
    control = torch.tensor([[[3.0, 4.0]], [[0.0, 0.0]]])
    method = build_method("rmu", {"variant": "clear_repo", "coefficient": 1.0, "retain_weight": 1.0})
    batch = UnlearnBatch(states, states, prepared={"control": control})
    terms = method.terms(batch, Scripted("policy"), Scripted("reference"))
    assert {term.name: term.value.item() for term in terms} == pytest.approx({"forget": 3.75, "retain": 0.5})


def test_positions_are_those_of_the_row_or_those_that_predict_its_answer() -> None:
    # FORGET has three positions; an answer of one token at the end is predicted by the second: (0, 0, ln 2), towards
    # (1, 0, 0): (1 + ln(2)^2) / 3.
    labels = torch.tensor([[7]])
    method = build_method("rmu", {"coefficient": 1.0, "positions": "answer"})
    batch = roles(replace(FORGET, labels=labels), replace(FORGET, labels=labels))
    terms = method.terms(batch, Scripted("policy"), Scripted("reference"))
    assert next(terms).value.item() == pytest.approx((1 + 0.6931471805599453**2) / 3, abs=1e-9)


@each_family
def test_rows_are_steered_alike_alone_and_beside_longer_ones(build: Build) -> None:
    loaded, examples = build(), tiny.examples(4)
    method = rmu(depth=0.5)
    policy, reference = Policy(loaded.model.eval()), CopyReference(Policy(build(seed=1).model))
    prepared = method.prepare(policy, 0, 4)

    def losses(rows: list[Any]) -> list[float]:
        batch = loaded.encoder.batch(rows)
        whole = UnlearnBatch(batch, batch, prepared=prepared)
        return [term.value.item() for term in method.terms(whole, policy, reference)]

    each = [losses([example]) for example in examples]
    assert len({loaded.encoder.batch([example]).inputs["input_ids"].shape[1] for example in examples}) > 1
    assert losses(examples) == pytest.approx([sum(one) / 4 for one in zip(*each, strict=True)], rel=1e-4)


@each_family
def test_only_weights_below_the_layer_get_a_gradient(build: Build) -> None:
    loaded = build()
    batch = loaded.encoder.batch(tiny.examples(3))
    policy = Policy(loaded.model)
    method = rmu(depth=0.5)
    prepared = method.prepare(policy, 0, 3)
    terms = method.terms(UnlearnBatch(batch, batch, prepared=prepared), policy, CopyReference(Policy(loaded.model)))
    next(terms).value.backward()
    model: Any = loaded.model
    layers = model.get_decoder().layers
    assert all(weight.grad is not None and weight.grad.any() for weight in layers[0].mlp.parameters())
    assert all(weight.grad is None for weight in layers[1].parameters())
