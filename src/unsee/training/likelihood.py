"""How likely a model finds the answers of some rows in the middle of its training."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from unsee.data.example import Example
from unsee.system import processes
from unsee.vlm.encoding import Encoder
from unsee.vlm.policy import Policy, answer_scores
from unsee.vlm.sharded import as_one, share


@torch.no_grad()
def mean_log_likelihood(policy: Policy, encoder: Encoder, examples: Sequence[Example], batch_size: int) -> float:
    """Mean log-likelihood of the tokens of all answers; nats. Several processes do a share each.

    Args:
        policy: of the model, which is put into evaluation mode and back.
        encoder: of the model.
        examples: one at least.
        batch_size: examples per forward pass.
    """
    model, was_training = policy.model, policy.model.training
    device = next(model.parameters()).device
    model.eval()
    sums: dict[int, tuple[float, int]] = {}  # by the first row of a batch
    with as_one(model):
        for start in share(model, range(0, len(examples), batch_size)):
            batch = encoder.batch(examples[start : start + batch_size]).to(device)
            log_probs, counts = answer_scores(policy, batch)
            sums[start] = float(log_probs.double().sum()), int(counts.sum())
    model.train(was_training)
    totals, tokens = zip(*(each for _, each in sorted(processes.together(sums).items())), strict=True)
    return float(sum(totals) / sum(tokens))
