"""How likely a model finds the phrases of captions that are to be raised, and those that are to be lowered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from unsee.data.example import SPAN_ROLES, Example
from unsee.losses.spans import membership
from unsee.system import processes
from unsee.vlm.batch import Batch
from unsee.vlm.load import LoadedModel
from unsee.vlm.policy import Policy
from unsee.vlm.sharded import as_one, share

_ROLES = SPAN_ROLES[:2]


@dataclass(frozen=True)
class SpanLikelihood:
    """Of one role: how many spans and tokens, and the mean log-likelihood of these tokens, nats; NaN without any."""

    spans: int
    tokens: int
    mean: float


@torch.no_grad()
def span_likelihood(
    loaded: LoadedModel, examples: Sequence[Example], batch_size: int
) -> tuple[int, dict[str, SpanLikelihood]]:
    """The number of tokens of all answers, and what there is of each of the roles positive and negative.

    Args:
        loaded: the model; it is put into evaluation mode and back.
        examples: with spans.
        batch_size: examples per forward pass.
    """
    model, was_training = loaded.model, loaded.model.training
    model.eval()
    policy, by_batch = Policy(model), {}
    with as_one(model):
        for start in share(model, range(0, len(examples), batch_size)):
            by_batch[start] = _sums(
                policy, loaded.encoder.batch(examples[start : start + batch_size]).to(loaded.device)
            )
    model.train(was_training)
    total, likelihoods = 0, [(0, 0, 0.0)] * len(_ROLES)
    for _, (tokens, sums) in sorted(processes.together(by_batch).items()):  # in one order, so that they round alike
        total += tokens
        likelihoods = [(a + d, b + e, c + f) for (a, b, c), (d, e, f) in zip(likelihoods, sums, strict=True)]
    return total, {
        role: SpanLikelihood(spans, tokens, value / tokens if tokens else float("nan"))
        for role, (spans, tokens, value) in zip(_ROLES, likelihoods, strict=True)
    }


def _sums(policy: Policy, batch: Batch) -> tuple[int, list[tuple[int, int, float]]]:
    """Tokens of the answers of a batch; of each role its spans, their tokens and the sum of their log-likelihoods."""
    log_probs = policy.token_log_probs(batch)
    total = int(log_probs.mask.sum())
    if batch.spans is None:
        return total, [(0, 0, 0.0)] * len(_ROLES)
    inside, sums = membership(batch.spans.places, log_probs.values.shape[1]), []
    for place in range(len(_ROLES)):
        of_role = batch.spans.roles == place
        covered = (inside & of_role.unsqueeze(-1)).any(1)
        sums.append((int(of_role.sum()), int(covered.sum()), float((log_probs.values.double() * covered).sum())))
    return total, sums


def moved_spans(
    captions: int, before: tuple[int, dict[str, SpanLikelihood]], after: tuple[int, dict[str, SpanLikelihood]]
) -> dict[str, Any]:
    """What `scores.json` holds of spans: counts, and the likelihoods before and after, nats per token."""
    tokens, roles = before
    return {
        "captions": captions,
        "tokens": tokens,
        **{
            role: {
                "spans": likelihood.spans,
                "tokens": likelihood.tokens,
                "before": likelihood.mean,
                "after": after[1][role].mean,
            }
            for role, likelihood in roles.items()
        },
    }
