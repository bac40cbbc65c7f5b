"""The objective of each method, on logits small enough to be worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.losses import worked
from unsee.losses.likelihood import cross_entropy
from unsee.methods import METHODS, UnlearnBatch, build, hyper_parameters
from unsee.methods.method import Prepares, needs_of
from unsee.vlm import IGNORED, AnswerLogits, Batch, Policy, TokenLogProbs
from unsee.vlm.policy import HiddenStates


def batch_of(logits: Tensor, reference: Tensor, labels: list[int]) -> Batch:
    return Batch({"policy": logits, "reference": reference}, torch.tensor([labels]), torch.tensor([0]))


WHOLE_ANSWERS = [name for name, method in METHODS.items() if not method.needs.spans]  # EFUF's spans: test_efuf.py


class Scripted(Policy):
    """Policy and reference alike: says what the batch holds for it, in float64."""

    def __init__(self, role: str) -> None:
        self.role = role

    def answer_logits(self, batch: Batch) -> AnswerLogits:
        return AnswerLogits(batch.inputs[self.role], batch.labels != IGNORED)

    def token_log_probs(self, batch: Batch) -> TokenLogProbs:
        mask = batch.labels != IGNORED
        words = batch.labels.masked_fill(~mask, 0).unsqueeze(-1)
        values = batch.inputs[self.role].log_softmax(-1).gather(-1, words).squeeze(-1)
        return TokenLogProbs(values.masked_fill(~mask, 0.0), mask)

    def answer_log_probs(self, batch: Batch) -> Tensor:
        return self.token_log_probs(batch).values.sum(-1)

    def all_logits(self, batch: Batch) -> Tensor:
        return batch.inputs[self.role]

    def hidden_states(self, batch: Batch, depth: float) -> HiddenStates:
        """The same numbers for want of others; every position is one of the row."""
        values = batch.inputs[self.role]
        return HiddenStates(values, torch.ones(values.shape[:2], dtype=torch.bool))


FORGET = batch_of(worked.FORGET, worked.FORGET_REFERENCE, [*worked.FORGET_ANSWER, IGNORED])
RETAIN = batch_of(worked.RETAIN, worked.RETAIN_REFERENCE, [*worked.RETAIN_ANSWER, IGNORED])
REFUSALS = replace(FORGET, labels=torch.tensor([[*worked.REFUSAL, IGNORED]]))
MISMATCHED = replace(FORGET, labels=torch.tensor([[*worked.REFUSAL, IGNORED]]))  # the words of the refusal
CONTROL = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)


def roles(
    forget: Batch = FORGET,
    retain: Batch = RETAIN,
    refusals: Batch = REFUSALS,
    mismatched: Batch = MISMATCHED,
    **more: Any,
) -> UnlearnBatch:
    """What a method may ask for, all of it."""
    return UnlearnBatch(forget, retain, refusals, mismatched, prepared={"control": CONTROL}, **more)


def terms_of(name: str, retain: Batch = RETAIN, **values: float | str) -> dict[str, float]:
    terms = build(name, values).terms(roles(retain=retain), Scripted("policy"), Scripted("reference"))
    return {term.name: term.value.item() for term in terms}


# Lowering a logit by 10 leaves e^-10 of the word. Forget: reference (2, 1, 1) and (1, 1, 1), true words 1 and 2, so
# (2, e^-10, 1) and (1, 1, e^-10) are to be learnt by (1/3, 1/3, 1/3) and (1/4, 1/4, 1/2).
LOWERED = exp(-10)
UNDIAL = (log(3) + (2 * log(4) + LOWERED * log(2)) / (2 + LOWERED)) / 2

EXPECTED = {
    "retain_finetune": {"retain": worked.CE_RETAIN},
    "grad_ascent": {"forget": -worked.CE_FORGET},
    "grad_diff": {"forget": -worked.CE_FORGET, "retain": worked.CE_RETAIN},
    "mmunlearner": {"forget": -worked.CE_FORGET, "retain": worked.CE_RETAIN},
    "kl": {"forget": -worked.CE_FORGET, "retain": worked.KL_RETAIN_SUM / 2},  # two answer tokens
    "npo": {"forget": 20 * log(1 + 2**0.1), "retain": worked.CE_RETAIN},  # beta 0.1, policy / reference = 2
    "gated_npo": {"forget": 20 * log(1 + 2**0.1), "retain": worked.CE_RETAIN},
    # The mean of -ln 3 and -ln 2 is -ln(6) / 2; times beta 4.5 a power of 6, and weighted by 1/8.
    "simnpo": {"forget": 0.125 * 2 / 4.5 * log(1 + 6**-2.25), "retain": worked.CE_RETAIN},
    "idk": {"refusals": worked.CE_REFUSAL, "retain": worked.CE_RETAIN},
    # Refusal: (1/3 * 1/4) / (1/2 * 1/3) = 1/2. Answer: 2. Beta 0.1: -log sigmoid(0.1 ln(1/2 / 2)) = ln(1 + 2^0.2).
    "dpo": {"forget": log(1 + 2**0.2), "retain": worked.CE_RETAIN},
    "undial": {"forget": UNDIAL},
    # Entropies ln 3, the largest there is, and 2 ln(4) / 4 + ln(2) / 2 = 1.5 ln 2.
    "entropy": {"forget": (0 + 1 - 1.5 * worked.LN2 / worked.LN3) / 2, "retain": worked.CE_RETAIN},
    "llmu": {
        "forget": -worked.CE_FORGET,
        "mismatched": worked.CE_REFUSAL,
        "retain": worked.KL_RETAIN_SUM / 2,
    },
    "scrub": {"retain": worked.KL_RETAIN_SUM / 2 + worked.CE_RETAIN},  # the first epoch, a min epoch
    "sku": {
        "forget": 2.5 * worked.CE_FORGET,
        "mismatched": worked.CE_REFUSAL,
        "retain": -0.5 * worked.KL_RETAIN_SUM / 2,
    },
    # Three hidden dimensions and positions. Forget: (0, 0, 0), (0, 0, ln 2), (0, 0, 0) towards (6.5, 0, 0). Retain
    # differs from the reference by (0, ln 2, 0), (-ln 2, 0, ln 2), (0, 0, 0): three squares of nine.
    "rmu": {"forget": (3 * 6.5**2 + worked.LN2**2) / 9, "retain": 1200 * 3 * worked.LN2**2 / 9},
    "random_noise": {},
}


def test_every_method_has_its_terms_worked_out() -> None:
    assert set(EXPECTED) == set(WHOLE_ANSWERS), "a new method has a line in EXPECTED"


@pytest.mark.parametrize("name", EXPECTED)
def test_terms_are_the_published_ones(name: str) -> None:
    assert terms_of(name) == pytest.approx(EXPECTED[name], abs=1e-9)


def test_the_retain_loss_that_undial_does_not_have_can_be_added() -> None:
    assert terms_of("undial", retain_weight=2.0) == pytest.approx({"forget": UNDIAL, "retain": 2 * worked.CE_RETAIN})


@pytest.mark.parametrize(
    ("beta", "expected"),
    [
        # Ratios p / p_ref of the nine words: 2/3, 4/3, 4/3; 3/4, 3/4, 3/2; 1, 1, 1, on all three positions.
        (1.0, 2 / 9 * log(5 / 3 * (7 / 3) ** 2 * (7 / 4) ** 2 * 5 / 2 * 2**3)),
        (0.5, 4 / 9 * sum(log(1 + ratio**0.5) for ratio in (2 / 3, 4 / 3, 4 / 3, 3 / 4, 3 / 4, 3 / 2, 1, 1, 1))),
    ],
)
def test_clears_npo_looks_at_every_word_at_every_position(beta: float, expected: float) -> None:
    found = terms_of("npo", variant="clear_repo", beta=beta)
    assert found == pytest.approx({"forget": expected, "retain": worked.CE_RETAIN}, abs=1e-7)  # p_ref + 1e-8 there
    assert build("npo", {"variant": "clear_repo"}).needs.reference == "distribution"
    assert build("npo").needs.reference == METHODS["npo"].needs.reference == "log_probs"


def test_clears_kl_takes_the_mean_over_every_position() -> None:
    found = terms_of("kl", variant="clear_repo")
    assert found == pytest.approx({"forget": -worked.CE_FORGET, "retain": worked.KL_RETAIN_SUM / 3}, abs=1e-9)


def test_whole_objectives() -> None:
    # -(ln 3 + ln 2) / 2 + 3 ln(2) / 2 = 0.143841
    assert sum(terms_of("grad_diff").values()) == pytest.approx(0.1438410362258904, abs=1e-9)
    assert sum(terms_of("mmunlearner").values()) == pytest.approx(0.1438410362258904, abs=1e-9)
    assert terms_of("grad_ascent") == pytest.approx({"forget": -0.8958797346140275}, abs=1e-9)
    assert terms_of("retain_finetune") == pytest.approx({"retain": 1.0397207708399179}, abs=1e-9)
    # 2 ln 3 = 2.197225 at beta 1.
    assert terms_of("npo", beta=1.0)["forget"] == pytest.approx(2.197224577336219, abs=1e-9)
    # -0.895880 + 0.229920 / 3 = -0.819240: that is with all three retain positions labelled.
    everywhere = replace(RETAIN, labels=torch.tensor([[*worked.RETAIN_ANSWER, 0]]))
    assert sum(terms_of("kl", everywhere).values()) == pytest.approx(-0.8192397988123212, abs=1e-9)


@pytest.mark.parametrize("name", WHOLE_ANSWERS)
def test_weights_scale_their_terms(name: str) -> None:
    weights = {"forget_weight": 0.25, "retain_weight": 3.0, "kl_weight": 3.0, "mismatched_weight": 0.5}
    values: dict[str, Any] = {key: value for key, value in weights.items() if hasattr(build(name), key)}
    ones: dict[str, Any] = dict.fromkeys(values, 1.0)
    plain = terms_of(name, **ones)
    scale = dict.fromkeys(plain, 1.0)
    terms = {"kl_weight": "retain", "forget_weight": "forget" if "forget" in plain else "refusals"}
    scale |= {terms.get(key, key.removesuffix("_weight")): value for key, value in values.items()}
    assert terms_of(name, **values) == pytest.approx({key: scale[key] * value for key, value in plain.items()})
    assert values or not any("weight" in one.name for one in hyper_parameters(name))


@pytest.mark.parametrize("name", WHOLE_ANSWERS)
def test_what_makes_a_model_forget_is_named_so_that_a_mask_can_stand_before_it(name: str) -> None:
    method = build(name, {"schedule": "joint"} if name == "scrub" else {})
    terms = list(method.terms(roles(), Scripted("policy"), Scripted("reference")))
    gated = {term.name for term in terms if term.forgets}
    assert gated == ({term.name for term in terms} & {"forget", "refusals", "mismatched"})
    assert bool(gated) == (method.needs.forget or method.needs.refusals)


@pytest.mark.parametrize("name", WHOLE_ANSWERS)
def test_a_method_declares_everything_that_it_uses(name: str) -> None:
    needs = build(name).needs

    class Untouched:
        def __getattr__(self, what: str) -> None:
            raise AssertionError(f"asked for {what}")

    class LogProbsOnly(Untouched):
        answer_log_probs = Scripted("reference").answer_log_probs

    reference: Any = {
        "nothing": Untouched(),
        "log_probs": LogProbsOnly(),
        "distribution": Scripted("reference"),
    }[needs.reference]
    batch = UnlearnBatch(
        FORGET if needs.forget else None,
        RETAIN if needs.retain else None,
        REFUSALS if needs.refusals else None,
        mismatched=MISMATCHED if needs.mismatched else None,
        prepared={"control": CONTROL} if isinstance(build(name), Prepares) else {},
    )
    terms = list(build(name).terms(batch, Scripted("policy"), reference))
    assert {term.name for term in terms} == set(EXPECTED[name])


@pytest.mark.parametrize("name", WHOLE_ANSWERS)
@pytest.mark.parametrize("step", [0, 1, 2])
def test_retain_rows_of_no_weight_are_not_asked_for(name: str, step: int) -> None:
    weights = {key: 0.0 for key in ("retain_weight", "kl_weight") if hasattr(build(name), key)}
    method = build(name, weights)
    keeps = name == "retain_finetune"  # has no weight: it is nothing but retain rows
    assert needs_of(method) == replace(method.needs, retain=keeps)
    if not keeps:
        batch = replace(roles(), retain=None, step=step, epoch=step)
        terms = method.terms(batch, Scripted("policy"), Scripted("reference"))
        assert {term.name for term in terms} == EXPECTED[name].keys() - {"retain"} | (
            {"forget"} if name == "scrub" else set()
        )


@pytest.mark.parametrize("name", WHOLE_ANSWERS)
def test_the_loss_is_a_mean_over_examples_of_any_length(name: str) -> None:
    def rows(batch: Batch, count: int) -> Batch:
        inputs = {key: value.repeat(count, 1, 1) for key, value in batch.inputs.items()}
        return Batch(inputs, batch.labels.repeat(count, 1), torch.arange(count))

    def short(batch: Batch) -> Batch:
        labels = batch.labels.clone()
        labels[1:, 1] = IGNORED  # all but the first answer are one token long
        return replace(batch, labels=labels)

    method, batches = build(name), [short(rows(batch, 3)) for batch in (FORGET, RETAIN, REFUSALS, MISMATCHED)]
    whole = method.terms(roles(*batches), Scripted("policy"), Scripted("reference"))
    found = {term.name: term.value.item() for term in whole}

    def row(batch: Batch, place: int) -> Batch:
        inputs = {key: value[place : place + 1] for key, value in batch.inputs.items()}
        return Batch(inputs, batch.labels[place : place + 1], batch.indices[place : place + 1])

    alone = [
        {
            term.name: term.value.item()
            for term in method.terms(
                roles(*(row(batch, place) for batch in batches)),
                Scripted("policy"),
                Scripted("reference"),
            )
        }
        for place in range(3)
    ]
    assert found == pytest.approx({key: sum(one[key] for one in alone) / 3 for key in found}, abs=1e-12)


def test_cross_entropy_agrees_with_the_script() -> None:
    log_probs = Scripted("policy").token_log_probs(RETAIN)
    assert cross_entropy(*log_probs).item() == pytest.approx(worked.CE_RETAIN)
