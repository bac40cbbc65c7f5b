"""EFUF's training step: all phrases of a caption and its sentence in one forward pass, against a row for each.

    python performance/packed.py [--json]

A separate row is the caption cut behind a phrase, with a loss on that phrase alone; the sentence is one more row. Rows
of a length go together, so that nothing is padded: separate rows could not be cheaper. Both ways have the same loss and
the same gradient, which is seen to before anything is timed. "tokens" is the ratio of tokens that pass through the
decoder, which is what the ratio of seconds can come to; the target is a share of it. Weights move in the projector,
as EFUF has it by default, or everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import measuring
import torch

from unsee.data import Example
from unsee.data.example import AnswerSpan
from unsee.losses.likelihood import cross_entropy
from unsee.methods import UnlearnBatch
from unsee.methods.efuf import EFUF
from unsee.types import PARTS, Part
from unsee.vlm import Batch, Encoder, LoadedModel, Policy
from unsee.vlm.parts import freeze_other_parts
from unsee.vlm.reference import NoReference

TARGET = 0.9  # of the ratio of tokens
ROLES: tuple[Literal["positive", "negative"], ...] = ("positive", "negative")
METHOD = EFUF(negative="ascent")
WEIGHTS = {"positive": 1.0, "negative": -METHOD.negative_weight, "sentence": METHOD.sentence_weight}


def main() -> None:
    """Compare at 1 to 8 phrases per caption."""
    options = measuring.arguments(__doc__, rows=4, repeats=5, image_tokens=64, words=60, phrase=5)
    # Narrower, what does not depend on the number of tokens costs more than in models of billions of weights.
    loaded = measuring.llava(options.image_tokens, width=512, layers=4)
    trained: list[tuple[Part, ...]] = [("projector",), PARTS]
    rows = [compare(loaded, phrases, parts, options) for parts in trained for phrases in (1, 2, 4, 8)]
    measuring.show("one packed forward pass against separate rows, a training step", rows, options.json)


def compare(loaded: LoadedModel, phrases: int, parts: Sequence[Part], options: Any) -> dict[str, Any]:
    """Seconds of both ways for one batch of captions, and their ratio beside that of tokens."""
    freeze_other_parts(loaded.model.requires_grad_(True), parts)
    captions = with_spans(options, phrases)
    batch = loaded.encoder.batch(captions)
    alone = separate(loaded.encoder, batch, captions[0])
    policy = Policy(loaded.model)

    def packed() -> float:
        loaded.model.zero_grad(set_to_none=True)
        (term,) = METHOD.terms(UnlearnBatch(batch, None), policy, NoReference())
        term.value.backward()
        return term.value.item()

    def one_by_one() -> float:
        loaded.model.zero_grad(set_to_none=True)
        total = 0.0
        for weight, row in alone:
            loss = weight * cross_entropy(*policy.token_log_probs(row)).mean()
            loss.backward()
            total += loss.item()
        return total

    difference = compared(loaded, packed, one_by_one)
    seconds = measuring.medians({"packed": packed, "separate": one_by_one}, options.repeats)
    tokens = sum(tokens_of(row) for _, row in alone) / tokens_of(batch)
    ratio = seconds["separate"] / seconds["packed"]
    return {
        "trained": "projector" if len(parts) == 1 else "everything",
        "phrases": phrases,
        "packed s": seconds["packed"],
        "separate s": seconds["separate"],
        "ratio": ratio,
        "tokens": tokens,
        "ratio / tokens": ratio / tokens,
        "target": f">= {TARGET}",
        "largest difference": difference,
    }


def with_spans(options: Any, phrases: int) -> list[Example]:
    """Captions in which so many phrases, real and hallucinated in turns, are spread evenly."""
    size = round(options.image_tokens**0.5) * measuring.PATCH
    made = []
    for example in measuring.examples(options.rows, question=6, answer=options.words, image_size=size):
        words = example.answer.split()
        ends = [round((number + 1) / (phrases + 1) * len(words)) for number in range(phrases)]
        spans = [
            AnswerSpan(
                len(" ".join([*words[: end - options.phrase], ""])), len(" ".join(words[:end])), ROLES[number % 2]
            )
            for number, end in enumerate(ends)
        ]
        whole = AnswerSpan(0, len(example.answer), "sentence")
        made.append(replace(example, spans=(*spans, whole)))
    return made


def separate(encoder: Encoder, batch: Batch, first: Example) -> list[tuple[float, Batch]]:
    """Weight and rows of each span: the same rows, cut behind it and with no other labels."""
    length = batch.labels.shape[1]
    found = []
    for span, (start, end) in zip(first.spans, encoder.span_places(first), strict=True):
        kept = batch.inputs["input_ids"].shape[1] - (length - end)
        inputs = {
            name: value[:, :kept] if value.shape == batch.inputs["input_ids"].shape else value
            for name, value in batch.inputs.items()
        }
        labels = batch.labels[:, :end].clone()
        labels[:, :start] = -100
        found.append((WEIGHTS[span.role], Batch(inputs, labels, batch.indices)))
    return found


def tokens_of(batch: Batch) -> int:
    """How many tokens pass through the decoder."""
    assert batch.inputs["attention_mask"].all(), "rows are padded"
    return batch.inputs["input_ids"].numel()


def compared(loaded: LoadedModel, packed: Any, one_by_one: Any) -> float:
    """How far the two ways differ in their gradients, relative to the largest."""
    gradients, losses = [], []
    moving = [weight for weight in loaded.model.parameters() if weight.requires_grad]
    for way in (packed, one_by_one):
        losses.append(way())
        gradients.append(torch.cat([weight.grad.flatten() for weight in moving if weight.grad is not None]))
    assert abs(losses[0] - losses[1]) < 1e-5 * abs(losses[1]), f"the two ways differ in their loss: {losses}"
    off = float((gradients[0] - gradients[1]).abs().max() / gradients[1].abs().max())
    assert off < 1e-4, f"the two ways differ in their gradient by {off:.2g} of the largest"
    return off


if __name__ == "__main__":
    main()
