"""How likely a model finds the phrases of captions that are to be raised, and those that are to be lowered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from unsee.data.example import SPAN_ROLES, Example
from unsee.losses.spans import membership
from unsee.vlm.load import LoadedModel
from unsee.vlm.policy import Policy


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
    policy, roles = Policy(model), SPAN_ROLES[:2]
    total, spans, tokens, sums = 0, [0, 0], [0, 0], [0.0, 0.0]
    for start in range(0, len(examples), batch_size):
        batch = loaded.encoder.batch(examples[start : start + batch_size]).to(loaded.device)
        log_probs = policy.token_log_probs(batch)
        total += int(log_probs.mask.sum())
        if batch.spans is None:
            continue
        inside = membership(batch.spans.places, log_probs.values.shape[1])
        for place in range(len(roles)):
            of_role = batch.spans.roles == place
            covered = (inside & of_role.unsqueeze(-1)).any(1)
            spans[place] += int(of_role.sum())
            tokens[place] += int(covered.sum())
            sums[place] += float((log_probs.values.double() * covered).sum())
    model.train(was_training)
    means = (value / count if count else float("nan") for value, count in zip(sums, tokens, strict=True))
    rows = zip(roles, spans, tokens, means, strict=True)
    return total, {role: SpanLikelihood(count, of_tokens, mean) for role, count, of_tokens, mean in rows}


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
