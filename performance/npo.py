"""An NPO step with its reference remembered against a plain fine-tuning step on the same tokens.

    python performance/npo.py [--json]

NPO takes forget and retain rows; the plain step is cross-entropy on the same rows, in one batch and in two, all
weights moving under AdamW. What the reference costs once, before training, is in a column of its own: a forward pass
over the forget set, whatever the number of epochs.
"""

from __future__ import annotations

from typing import Any

import measuring
import torch

from unsee.losses.likelihood import cross_entropy
from unsee.methods import UnlearnBatch
from unsee.methods.npo import NPO
from unsee.vlm import LoadedModel, Policy
from unsee.vlm.reference import CachedReference

TARGET = 1.1


def main() -> None:
    """Compare at 64 and 576 image tokens."""
    options = measuring.arguments(__doc__, rows=2, repeats=5)
    rows = [compare(image_tokens, options) for image_tokens in (64, 576)]
    measuring.show("an NPO step with cached reference against a plain step on the same rows", rows, options.json)


def compare(image_tokens: int, options: Any) -> dict[str, Any]:
    """Seconds of the steps, and of the reference for one batch."""
    loaded = measuring.llava(image_tokens, layers=4)
    size = round(image_tokens**0.5) * measuring.PATCH
    forget = measuring.examples(options.rows, answer=15, image_size=size, seed=0)
    retain = measuring.examples(options.rows, answer=15, image_size=size, seed=1)
    encoder, policy = loaded.encoder, Policy(loaded.model)
    reference = CachedReference.compute(Policy(loaded.model), encoder, forget, [range(options.rows)], None, "")
    batch = UnlearnBatch(forget=encoder.batch(forget), retain=encoder.batch(retain))
    together = encoder.batch([*forget, *retain])
    optimizer = torch.optim.AdamW(loaded.model.parameters(), lr=1e-6)

    def npo() -> None:
        for term in NPO().terms(batch, policy, reference):
            term.value.backward()
        _move(optimizer)

    def plain() -> None:
        cross_entropy(*policy.token_log_probs(together)).mean().backward()
        _move(optimizer)

    def plain_in_two() -> None:
        for part in (batch.forget, batch.retain):
            assert part is not None
            cross_entropy(*policy.token_log_probs(part)).mean().backward()
        _move(optimizer)

    ways = {"npo": npo, "plain": plain, "plain in two": plain_in_two, "reference": _reference(loaded, forget)}
    seconds = measuring.medians(ways, options.repeats)
    return {
        "image tokens": image_tokens,
        "rows": 2 * options.rows,
        **{f"{name} s": value for name, value in seconds.items()},
        "npo / plain": seconds["npo"] / seconds["plain"],
        "npo / plain in two": seconds["npo"] / seconds["plain in two"],
        "target": f"<= {TARGET}",
    }


def _move(optimizer: torch.optim.Optimizer) -> None:
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _reference(loaded: LoadedModel, forget: Any) -> Any:
    return lambda: CachedReference.compute(Policy(loaded.model), loaded.encoder, forget, [range(len(forget))], None, "")


if __name__ == "__main__":
    main()
