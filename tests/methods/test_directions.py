"""Which way a method pushes: a step makes forget answers less likely, refusals more likely, and the model uncertain."""

from __future__ import annotations

from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests import tiny
from tests.families import Build, each_family
from tests.methods.test_terms import FORGET, MISMATCHED, REFUSALS, RETAIN, WHOLE_ANSWERS, Scripted, roles
from tests.training.test_trainer import FORGET as FORGET_EXAMPLES
from tests.training.test_trainer import adapted, logged, trained, trainer_of
from unsee.methods import build as build_method
from unsee.vlm import Batch, Policy
from unsee.vlm.reference import AdapterOffReference, CachedReference

# What is less likely after a step (-) or more likely (+), of every method whose rows are whole answers.
DIRECTIONS: dict[str, dict[str, str]] = {
    "grad_ascent": {"forget": "-"},
    "grad_diff": {"forget": "-", "retain": "+"},
    "kl": {"forget": "-"},
    "npo": {"forget": "-", "retain": "+"},
    "simnpo": {"forget": "-", "retain": "+"},
    "idk": {"refusals": "+", "retain": "+"},
    "dpo": {"forget": "-", "refusals": "+", "retain": "+"},
    "undial": {"forget": "-"},
    "entropy": {"forget": "-", "retain": "+"},
    "llmu": {"forget": "-", "mismatched": "+"},
    "mmunlearner": {"forget": "-", "retain": "+"},
    "gated_npo": {"forget": "-", "retain": "+"},
    "retain_finetune": {"retain": "+"},
    "scrub": {"retain": "+"},  # the first epoch, a min epoch
    "rmu": {"forget": "-"},  # off to a direction of its own
    "sku": {"forget": "+", "mismatched": "+"},  # what is trained is subtracted at the end
    "random_noise": {},
}


def free(batch: Batch) -> Batch:
    """The same rows with logits of their own, where the policy is still at the reference."""
    logits = batch.inputs["policy"].clone().requires_grad_()
    return replace(batch, inputs={"policy": logits, "reference": batch.inputs["policy"]})


def likelihood(batch: Batch) -> float:
    return Scripted("policy").answer_log_probs(batch).sum().item()


def test_every_method_has_its_direction() -> None:
    assert set(DIRECTIONS) == set(WHOLE_ANSWERS), "a new method has a line in DIRECTIONS"


@pytest.mark.parametrize("name", DIRECTIONS)
def test_a_step_moves_the_likelihoods_the_right_way(name: str) -> None:
    batches = {
        "forget": free(FORGET), "retain": free(RETAIN), "refusals": free(REFUSALS), "mismatched": free(MISMATCHED),
    }  # fmt: skip
    before = {role: likelihood(batch) for role, batch in batches.items()}
    terms = build_method(name).terms(roles(**batches), Scripted("policy"), Scripted("reference"))
    for term in terms:
        term.value.backward()
    for batch in batches.values():
        logits = batch.inputs["policy"]
        if logits.grad is not None:
            logits.data -= 0.1 * logits.grad
    moved = {role: likelihood(batch) - before[role] for role, batch in batches.items()}
    expected = DIRECTIONS[name]
    assert {role: "+" if by > 0 else "-" for role, by in moved.items() if abs(by) > 1e-12} == expected


def test_the_policy_becomes_uncertain_and_not_sure_of_something_else() -> None:
    """Steps down the entropy term end at chance; CLEAR's code has the other sign."""
    logits = torch.tensor([[[3.0, 0.0, -1.0]]], dtype=torch.float64, requires_grad=True)
    batch = Batch({"policy": logits, "reference": logits.detach()}, torch.tensor([[0]]), torch.tensor([0]))
    for _ in range(300):
        first = next(build_method("entropy").terms(roles(batch), Scripted("policy"), Scripted("reference")))
        (gradient,) = torch.autograd.grad(first.value, logits)
        logits.data -= 2.0 * gradient
    assert logits.softmax(-1).flatten().tolist() == pytest.approx([1 / 3] * 3, abs=1e-3)


def test_dpo_pulls_refusal_and_answer_by_half_of_beta_at_the_start() -> None:
    answer, refusal = free(FORGET), free(REFUSALS)
    first = next(
        build_method("dpo", {"beta": 0.2}).terms(
            roles(answer, refusals=refusal),
            Scripted("policy"),
            Scripted("reference"),
        )
    )
    first.value.backward()
    assert first.value.item() == pytest.approx(log(2), abs=1e-12)

    def ascent(batch: Batch) -> Tensor:
        logits = batch.inputs["reference"].clone().requires_grad_()
        fresh = replace(batch, inputs={"policy": logits})
        return torch.autograd.grad(Scripted("policy").answer_log_probs(fresh).sum(), logits)[0]

    torch.testing.assert_close(answer.inputs["policy"].grad, 0.1 * ascent(answer))
    torch.testing.assert_close(refusal.inputs["policy"].grad, -0.1 * ascent(refusal))


# On a model.


def likelihoods(trainer: Any) -> dict[str, float]:
    sets = {"forget": trainer.forget, "refusals": trainer.refusals}
    with torch.no_grad():
        policy = Policy(trainer.policy_model.eval())
        return {
            role: policy.answer_log_probs(trainer.encoder.batch(list(rows))).mean().item()
            for role, rows in sets.items()
            if rows
        }


@each_family
@pytest.mark.parametrize("lora", [False, True])
def test_dpo_starts_at_ln_two_with_remembered_refusals_and_answers(build: Build, lora: bool, tmp_path: Path) -> None:
    """One wrong row among those that the reference remembers, and the first loss is another number."""
    loaded = adapted(build, tmp_path / "base") if lora else build()
    trainer = trained(loaded, "dpo", tmp_path, values={"beta": 1.0}, max_steps=1, gradient_accumulation_steps=3)
    assert isinstance(trainer.reference, AdapterOffReference if lora else CachedReference)
    assert logged(trainer, "forget_loss") == pytest.approx([log(2)], abs=1e-4)


@pytest.mark.parametrize("name", ["idk", "dpo"])
def test_training_on_refusals_makes_them_more_likely_against_the_answers(name: str, tmp_path: Path) -> None:
    trainer = trainer_of(tiny.llava(), name, tmp_path, max_steps=6, values={"retain_weight": 0.0})
    before = likelihoods(trainer)
    trainer.train()
    after = likelihoods(trainer)
    assert after["refusals"] > before["refusals"]
    assert after["refusals"] - after["forget"] > before["refusals"] - before["forget"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("simnpo", {"beta": 0.1, "retain_weight": 0.0}),  # an untrained model is beyond the reach of a large beta
        ("undial", {}),
        ("llmu", {"mismatched_weight": 0.0}),  # of few answers those of others are often one's own
    ],
)
def test_training_makes_forget_answers_less_likely(name: str, values: dict[str, float], tmp_path: Path) -> None:
    trainer = trainer_of(tiny.llava(), name, tmp_path, max_steps=6, values=values)
    before = likelihoods(trainer)["forget"]
    trainer.train()
    assert likelihoods(trainer)["forget"] < before


def test_the_reference_remembers_refusals_behind_forget_answers(tmp_path: Path) -> None:
    path = tmp_path / "reference.safetensors"
    trainer = trainer_of(tiny.llava(), "dpo", tmp_path, reference_file=str(path))
    assert isinstance(trainer.reference, CachedReference)
    rows = trainer._collate([3, 0, 7, 1])
    with torch.no_grad():
        policy = Policy(trainer.policy_model.eval())
        for role in ("forget", "refusals"):
            batch = Batch.from_dict(rows[role])
            afresh = policy.answer_log_probs(batch)
            torch.testing.assert_close(trainer.reference.answer_log_probs(batch), afresh, rtol=1e-5, atol=1e-4)
    # Other refusals, other numbers: they are not taken from the file of another seed.
    other = trainer_of(tiny.llava(), "dpo", tmp_path, reference_file=str(path), seed=1).reference
    assert isinstance(other, CachedReference)
    count = len(FORGET_EXAMPLES)
    same = (other.log_probs - trainer.reference.log_probs).abs() < 1e-4
    assert same[:count].all()
    assert not same[count:].any()


@each_family
@pytest.mark.parametrize(("name", "lora"), [("npo", False), ("npo", True), ("kl", True)])
def test_clears_variants_train(build: Build, name: str, lora: bool, tmp_path: Path) -> None:
    loaded = adapted(build, tmp_path / "base") if lora else build()
    trainer = trained(loaded, name, tmp_path / "run", values={"variant": "clear_repo"})
    first = logged(trainer, "forget_loss" if name == "npo" else "retain_loss")[0]
    # Policy and reference agree: 20 ln(1 + (1 - 1e-8 / p)^0.1), about 20 ln 2; and a divergence of nothing.
    assert first == pytest.approx(20 * log(2) if name == "npo" else 0.0, abs=1e-3)
