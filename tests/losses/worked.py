"""Three positions over a vocabulary of three words, small enough to work every loss out by hand.

    forget                     policy             reference          answer    policy p   reference p
      row 0                    (0, 0, 0)          (ln 2, 0, 0)       word 1    1/3        1/4
      row 1                    (0, 0, ln 2)       (0, 0, 0)          word 2    1/2        1/3
      row 2 (after the end)    (0, 0, 0)          (0, 0, 0)          none
    retain
      row 0                    (0, ln 2, 0)       (0, 0, 0)          word 1    1/2        1/3
      row 1                    (0, 0, ln 2)       (ln 2, 0, 0)       word 0    1/4        1/2
      row 2 (after the end)    (0, 0, 0)          (0, 0, 0)          none
    refusal: the forget logits, answered with word 0 twice (1/3, 1/4).

Row t holds the logits that predict answer token t: (ln 2, 0, 0) gives probabilities (1/2, 1/4, 1/4).
"""

from __future__ import annotations

from math import log

import torch
from torch import Tensor

LN2, LN3 = log(2), log(3)


def _logits(*rows: tuple[float, float, float]) -> Tensor:
    return torch.tensor([rows], dtype=torch.float64)


FORGET = _logits((0, 0, 0), (0, 0, LN2), (0, 0, 0))
FORGET_REFERENCE = _logits((LN2, 0, 0), (0, 0, 0), (0, 0, 0))
RETAIN = _logits((0, LN2, 0), (0, 0, LN2), (0, 0, 0))
RETAIN_REFERENCE = _logits((0, 0, 0), (LN2, 0, 0), (0, 0, 0))

FORGET_ANSWER, RETAIN_ANSWER, REFUSAL = (1, 2), (1, 0), (0, 0)
ANSWER = torch.tensor([[True, True, False]])  # the two positions that predict an answer token
EVERYWHERE = torch.tensor([[True, True, True]])

# What the losses of these rows come to.
CE_FORGET = (LN3 + LN2) / 2  # (ln 3 + ln 2) / 2 = 0.895880
CE_RETAIN = (LN2 + 2 * LN2) / 2  # (ln 2 + ln 4) / 2 = 1.039721
CE_REFUSAL = (LN3 + 2 * LN2) / 2  # (ln 3 + ln 4) / 2 = 1.242453
# KL(reference || policy) of the retain rows.
#   row 0: reference (1/3, 1/3, 1/3), policy (1/4, 1/2, 1/4): [2 ln(4/3) + ln(2/3)] / 3 = ln(32/27) / 3
#   row 1: reference (1/2, 1/4, 1/4), policy (1/4, 1/4, 1/2): ln(2) / 2 + 0 - ln(2) / 4 = ln(2) / 4
#   row 2: the same on both sides: 0
KL_RETAIN_SUM = log(32 / 27) / 3 + LN2 / 4  # 0.229920
# Whole forget answers: policy 1/3 * 1/2 = 1/6, reference 1/4 * 1/3 = 1/12, so policy / reference = 2.
LOG_P_FORGET, LOG_P_FORGET_REFERENCE = -log(6), -log(12)


def token_log_probs(logits: Tensor, answer: tuple[int, ...]) -> Tensor:
    """Log-probability of each answer token, 0 after the end; shape (1, 3)."""
    words = torch.tensor([[*answer, 0]]).unsqueeze(-1)
    values = logits.log_softmax(-1).gather(-1, words).squeeze(-1)
    return values.masked_fill(~ANSWER, 0.0)
