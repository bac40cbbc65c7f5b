"""The hand computations of this folder against independently executed ones, where those are at hand."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.losses import worked
from tests.metrics.shared_data import shared
from unsee.losses.divergence import certainty, kl_divergence
from unsee.losses.likelihood import cross_entropy, gradient_ascent
from unsee.losses.preference import dpo, npo, npo_over_vocabulary
from unsee.losses.sparsity import l1_of_factors
from unsee.losses.steering import pooled_steering, steering

# Two rows of two positions with two hidden dimensions, one vector for all and one a row, and vectors as drawn.
HIDDEN = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [2.0, 2.0]]], dtype=torch.float64)
POSITIONS = torch.ones(2, 2, dtype=torch.bool)
CONTROL = torch.tensor([3.0, 4.0], dtype=torch.float64)
VECTORS = torch.tensor([[[3.0, 4.0]], [[0.0, 0.0]]], dtype=torch.float64)
# The two factors of an adapter, and ratios p / p_ref of a retain and a forget answer.
FIRST = torch.tensor([[1.0, -2.0], [0.0, 0.5]], dtype=torch.float64)
SECOND = torch.tensor([[0.0, 0.0], [3.0, -1.0]], dtype=torch.float64)
RATIOS = torch.tensor([0.5 / 0.25, 0.2 / 0.4], dtype=torch.float64)
DRAWN = torch.tensor([[[3.0, 0.0]], [[0.0, 4.0]]], dtype=torch.float64)


def _ce(logits: Tensor, answer: tuple[int, ...]) -> float:
    return cross_entropy(worked.token_log_probs(logits, answer), worked.ANSWER).item()


def _npo(beta: float) -> float:
    log_probs = worked.token_log_probs(worked.FORGET, worked.FORGET_ANSWER).sum(-1)
    reference = worked.token_log_probs(worked.FORGET_REFERENCE, worked.FORGET_ANSWER).sum(-1)
    return npo(log_probs, reference, beta).item()


def _kl() -> float:
    # The executed ones divide by all three rows, the last of which predicts no answer token.
    return kl_divergence(worked.RETAIN, worked.RETAIN_REFERENCE, worked.EVERYWHERE).item()


def _forget_kl() -> float:
    return kl_divergence(worked.FORGET, worked.FORGET_REFERENCE, worked.EVERYWHERE).item()


def _reversed_kl(role: str) -> float:
    teacher, student = {
        "forget": (worked.FORGET_REFERENCE, worked.FORGET),
        "retain": (worked.RETAIN_REFERENCE, worked.RETAIN),
    }[role]
    return kl_divergence(teacher, student, worked.EVERYWHERE).item()


def _npo_over_vocabulary() -> float:
    return npo_over_vocabulary(worked.FORGET, worked.FORGET_REFERENCE, beta=1.0, floor=0.0).item()


def _dpo(beta: float) -> float:
    refusal, answer = (
        worked.token_log_probs(worked.FORGET, words).sum(-1)
        - worked.token_log_probs(worked.FORGET_REFERENCE, words).sum(-1)
        for words in (worked.REFUSAL, worked.FORGET_ANSWER)
    )
    return dpo(refusal, answer, beta).item()


def _entropy() -> float:
    """Of all three positions together: what `certainty` leaves of ln 3 at each."""
    return 3 * worked.LN3 * (1 - certainty(worked.FORGET, worked.EVERYWHERE).item())


def _ascent() -> float:
    log_probs = worked.token_log_probs(worked.FORGET, worked.FORGET_ANSWER)
    return gradient_ascent(log_probs, worked.ANSWER).item()


FORMULAS: dict[str, Callable[[], float]] = {
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
    "idk (mm: sum of two means)": lambda: _ce(worked.RETAIN, worked.RETAIN_ANSWER) + _ce(worked.FORGET, worked.REFUSAL),
    "dpo correct beta=0.1": lambda: _dpo(0.1),
    "cv dpo beta=1": lambda: dpo(RATIOS.log()[0], RATIOS.log()[1], 1.0).item(),
    "grad_diff kl_forget/kl_retain": lambda: _kl() - _forget_kl(),
    "l1 term lambda=0.01": lambda: 0.01 * l1_of_factors(FIRST, SECOND).item(),
    "sku (2.5,1,0.5)": lambda: 2.5 * _ce(worked.FORGET, worked.FORGET_ANSWER) + (1 + 2 + 3) - 0.5 * _kl(),
    "rmu forget per token (paper)": lambda: steering(HIDDEN, CONTROL, POSITIONS).mean().item(),
    "rmu retain": lambda: steering(HIDDEN + torch.tensor([1.0, 0.0]), HIDDEN, POSITIONS).mean().item(),
}
# What CLEAR's repository computes where the published formula is another one, and how they differ.
REPOSITORY: dict[str, Callable[[], float]] = {
    # KL(student || teacher) where SCRUB has KL(teacher || student): the arguments change places.
    "KL(student||teacher) forget, sum": lambda: 3 * _reversed_kl("forget"),
    "KL(student||teacher) retain, sum": lambda: 3 * _reversed_kl("retain"),
    "scrub beta=1": lambda: -_reversed_kl("forget") + _reversed_kl("retain") + _ce(worked.RETAIN, worked.RETAIN_ANSWER),
    # The divergence of LLMU likewise, and refusals where Yao et al. have answers of others.
    "llmu": lambda: _ascent() + _reversed_kl("retain") + _ce(worked.FORGET, worked.REFUSAL),
    # A ratio for every word at every position: variant="clear_repo". The executed value is that of the
    # closed form; with the 1e-8 that the code adds to p_ref it is smaller by 3e-8.
    "npo as coded in mm, beta=1": _npo_over_vocabulary,
    # No preference at all: the summed cross-entropy of refusals.
    "dpo as coded (=sum CE of idk)": lambda: -worked.token_log_probs(worked.FORGET, worked.REFUSAL).sum().item(),
    # Tokens of refusals and retain answers share one mean; here they are as many, so that it is half of ours.
    "idk (nlp: one token mean over both)": lambda: FORMULAS["idk (mm: sum of two means)"]() / 2,
    # A sum over positions, of the other sign: it is the negative entropy, and is subtracted, so that entropy falls.
    "forget_entropy term as coded = sum p ln p": lambda: -_entropy(),
    "grad_diff entropy/ce": lambda: _entropy() + _ce(worked.RETAIN, worked.RETAIN_ANSWER),
    # The number of weights that are not zero, which has no gradient.
    "l0 term lambda=0.01": lambda: 0.01 * (FIRST.count_nonzero() + SECOND.count_nonzero()).item(),
    # Means over positions against the vectors of all rows of the batch: variant="clear_repo".
    "rmu forget as coded (B,H)vs(B,1,H) broadcast": lambda: pooled_steering(HIDDEN, VECTORS).item(),
    # The rows of a batch share a length of 300: variant="clear_repo".
    "rmu control_vec batch norm split, |row0|": lambda: (300 * DRAWN / DRAWN.norm())[0].norm().item(),
}


# Of the part of CLEAR on image classifiers, which have no answers.
ELSEWHERE = {
    "AM-softmax s=30 m=.4", "CosineEmbedding y=(-1,+1)", "twins MSE", "U-LIRA",
    "U-LIRA accuracy if all targets are members",
}  # fmt: skip


@pytest.mark.parametrize("name", FORMULAS)
def test_vector_of_a_published_formula(name: str) -> None:
    vectors = json.loads(shared("vectors", "clear_losses.json").read_text())
    assert FORMULAS[name]() == pytest.approx(vectors[name]["value"], abs=1e-9)


@pytest.mark.parametrize("name", REPOSITORY)
def test_vector_of_what_clears_repository_computes_instead(name: str) -> None:
    vectors = json.loads(shared("vectors", "clear_losses.json").read_text())
    assert REPOSITORY[name]() == pytest.approx(vectors[name]["value"], abs=1e-9)


def test_vector_files_hold_nothing_that_is_not_looked_at() -> None:
    vectors = json.loads(shared("vectors", "clear_losses.json").read_text())
    assert vectors.keys() == FORMULAS.keys() | REPOSITORY.keys() | ELSEWHERE


def test_the_worked_numbers_are_what_their_closed_forms_say() -> None:
    found = [worked.CE_FORGET, worked.CE_RETAIN, worked.CE_REFUSAL, worked.KL_RETAIN_SUM, worked.LOG_P_FORGET]
    executed = [0.8958797346140275, 1.0397207708399179, 1.2424533248940002, 0.22991980740511864, -1.791759469228055]
    assert found == pytest.approx(executed, abs=1e-12)
