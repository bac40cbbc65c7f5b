"""The objective of each method, on logits small enough to be worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from math import log

import pytest
import torch
from torch import Tensor

from tests.losses import worked
from unsee.losses import cross_entropy
from unsee.methods import METHODS, UnlearnBatch, build
from unsee.vlm import IGNORED, AnswerLogits, Batch, TokenLogProbs


def batch_of(logits: Tensor, reference: Tensor, labels: list[int]) -> Batch:
    return Batch({"policy": logits, "reference": reference}, torch.tensor([labels]), torch.tensor([0]))


class Scripted:
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


FORGET = batch_of(worked.FORGET, worked.FORGET_REFERENCE, [*worked.FORGET_ANSWER, IGNORED])
RETAIN = batch_of(worked.RETAIN, worked.RETAIN_REFERENCE, [*worked.RETAIN_ANSWER, IGNORED])


def terms_of(name: str, retain: Batch = RETAIN, **values: float) -> dict[str, float]:
    terms = build(name, values).terms(UnlearnBatch(FORGET, retain), Scripted("policy"), Scripted("reference"))  # type: ignore[arg-type]
    return {term.name: term.value.item() for term in terms}


EXPECTED = {
    "retain_finetune": {"retain": worked.CE_RETAIN},
    "grad_ascent": {"forget": -worked.CE_FORGET},
    "grad_diff": {"forget": -worked.CE_FORGET, "retain": worked.CE_RETAIN},
    "mmunlearner": {"forget": -worked.CE_FORGET, "retain": worked.CE_RETAIN},
    "kl": {"forget": -worked.CE_FORGET, "retain": worked.KL_RETAIN_SUM / 2},  # two answer tokens
    "npo": {"forget": 20 * log(1 + 2**0.1), "retain": worked.CE_RETAIN},  # beta 0.1, policy / reference = 2
    "gated_npo": {"forget": 20 * log(1 + 2**0.1), "retain": worked.CE_RETAIN},
}


@pytest.mark.parametrize("name", METHODS)
def test_terms_are_the_published_ones(name: str) -> None:
    assert terms_of(name) == pytest.approx(EXPECTED[name], abs=1e-9)


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


@pytest.mark.parametrize("name", METHODS)
def test_weights_scale_their_terms(name: str) -> None:
    plain = terms_of(name)
    weights = {"forget_weight": 0.25, "retain_weight": 3.0, "kl_weight": 3.0}
    scale = {"forget": 1.0, "retain": 1.0}
    values = {key: value for key, value in weights.items() if hasattr(build(name), key)}
    scale |= {"retain" if key == "kl_weight" else key.removesuffix("_weight"): value for key, value in values.items()}
    assert terms_of(name, **values) == pytest.approx({key: scale[key] * value for key, value in plain.items()})


@pytest.mark.parametrize("name", METHODS)
def test_the_forget_term_alone_is_gated_where_there_is_a_mask(name: str) -> None:
    method = build(name)
    terms = method.terms(UnlearnBatch(FORGET, RETAIN), Scripted("policy"), Scripted("reference"))  # type: ignore[arg-type]
    gated = {term.name for term in terms if term.gated}
    assert gated == ({"forget"} if method.needs.saliency else set())


@pytest.mark.parametrize("name", METHODS)
def test_a_method_declares_everything_that_it_uses(name: str) -> None:
    needs = build(name).needs

    class Untouched:
        def __getattr__(self, what: str) -> None:
            raise AssertionError(f"asked for {what}")

    class LogProbsOnly(Untouched):
        answer_log_probs = Scripted("reference").answer_log_probs

    reference = {
        "nothing": Untouched(),
        "log_probs": LogProbsOnly(),
        "distribution": Scripted("reference"),
    }[needs.reference]
    batch = UnlearnBatch(FORGET if needs.forget else None, RETAIN if needs.retain else None)
    terms = list(build(name).terms(batch, Scripted("policy"), reference))  # type: ignore[arg-type]
    assert {term.name for term in terms} == set(EXPECTED[name])


@pytest.mark.parametrize("name", METHODS)
def test_the_loss_is_a_mean_over_examples_of_any_length(name: str) -> None:
    def rows(batch: Batch, count: int) -> Batch:
        inputs = {key: value.repeat(count, 1, 1) for key, value in batch.inputs.items()}
        return Batch(inputs, batch.labels.repeat(count, 1), torch.arange(count))

    def short(batch: Batch) -> Batch:
        labels = batch.labels.clone()
        labels[1:, 1] = IGNORED  # all but the first answer are one token long
        return replace(batch, labels=labels)

    method, forget, retain = build(name), short(rows(FORGET, 3)), short(rows(RETAIN, 3))
    whole = method.terms(UnlearnBatch(forget, retain), Scripted("policy"), Scripted("reference"))  # type: ignore[arg-type]
    found = {term.name: term.value.item() for term in whole}

    def row(batch: Batch, place: int) -> Batch:
        inputs = {key: value[place : place + 1] for key, value in batch.inputs.items()}
        return Batch(inputs, batch.labels[place : place + 1], batch.indices[place : place + 1])

    alone = [
        {
            term.name: term.value.item()
            for term in method.terms(
                UnlearnBatch(row(forget, place), row(retain, place)),
                Scripted("policy"),  # type: ignore[arg-type]
                Scripted("reference"),
            )
        }
        for place in range(3)
    ]
    assert found == pytest.approx({key: sum(one[key] for one in alone) / 3 for key in found}, abs=1e-12)


def test_cross_entropy_agrees_with_the_script() -> None:
    log_probs = Scripted("policy").token_log_probs(RETAIN)
    assert cross_entropy(*log_probs).item() == pytest.approx(worked.CE_RETAIN)
