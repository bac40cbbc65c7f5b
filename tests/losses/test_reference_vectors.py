"""The hand computations of this folder against independently executed ones, where those are at hand."""

from __future__ import annotations

import json

import pytest
from torch import Tensor

from tests.losses import worked
from tests.metrics.shared_data import shared
from unsee.losses import cross_entropy, gradient_ascent, kl_divergence, npo


def _ce(logits: Tensor, answer: tuple[int, ...]) -> float:
    return cross_entropy(worked.token_log_probs(logits, answer), worked.ANSWER).item()


def _npo(beta: float) -> float:
    log_probs = worked.token_log_probs(worked.FORGET, worked.FORGET_ANSWER).sum(-1)
    reference = worked.token_log_probs(worked.FORGET_REFERENCE, worked.FORGET_ANSWER).sum(-1)
    return npo(log_probs, reference, beta).item()


def _kl() -> float:
    # The executed ones divide by all three rows, the last of which predicts no answer token.
    return kl_divergence(worked.RETAIN, worked.RETAIN_REFERENCE, worked.EVERYWHERE).item()


def _ascent() -> float:
    log_probs = worked.token_log_probs(worked.FORGET, worked.FORGET_ANSWER)
    return gradient_ascent(log_probs, worked.ANSWER).item()


FORMULAS = {
    "CE forget": lambda: _ce(worked.FORGET, worked.FORGET_ANSWER),
    "CE retain": lambda: _ce(worked.RETAIN, worked.RETAIN_ANSWER),
    "CE idk": lambda: _ce(worked.FORGET, worked.REFUSAL),
    "retain_ft": lambda: _ce(worked.RETAIN, worked.RETAIN_ANSWER),
    "grad_ascent": _ascent,
    "grad_diff ce/ce beta=1": lambda: _ascent() + _ce(worked.RETAIN, worked.RETAIN_ANSWER),
    "KL(teacher||student) retain, sum rows": lambda: 3 * _kl(),
    "KL batchmean /3 rows": _kl,
    "kl method": lambda: _ascent() + _kl(),
    "sequence log p student / forget": lambda: worked.token_log_probs(worked.FORGET, worked.FORGET_ANSWER).sum().item(),
    "sequence log p teacher / forget": lambda: (
        worked.token_log_probs(worked.FORGET_REFERENCE, worked.FORGET_ANSWER).sum().item()
    ),
    "npo correct beta=1.0": lambda: _npo(1.0),
    "npo correct beta=0.1": lambda: _npo(0.1),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_losses_equal_the_executed_vectors(name: str) -> None:
    vectors = json.loads(shared("vectors", "clear_losses.json").read_text())
    assert FORMULAS[name]() == pytest.approx(vectors[name]["value"], abs=1e-9)


def test_the_worked_numbers_are_what_their_closed_forms_say() -> None:
    found = [worked.CE_FORGET, worked.CE_RETAIN, worked.CE_REFUSAL, worked.KL_RETAIN_SUM, worked.LOG_P_FORGET]
    executed = [0.8958797346140275, 1.0397207708399179, 1.2424533248940002, 0.22991980740511864, -1.791759469228055]
    assert found == pytest.approx(executed, abs=1e-12)
