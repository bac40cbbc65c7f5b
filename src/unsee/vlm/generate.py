"""Batched greedy answers, and how much room they get.

An answer is cut where it has taken `max_new_tokens` and its turn has not ended; every answer says whether it was.
Without a number of one's own the room comes from the data: see `room_for`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from transformers import GenerationConfig

from unsee.data.example import Example
from unsee.system.limits import NEW_TOKENS
from unsee.vlm.encoding import Encoder
from unsee.vlm.policy import innermost
from unsee.vlm.sharded import generating, is_sharded


class Said(NamedTuple):
    """What a model said.

    Attributes:
        text: special tokens left out, white space stripped at both ends.
        truncated: whether it was cut: its turn had not ended after `max_new_tokens`.
    """

    text: str
    truncated: bool


def room_for(encoder: Encoder, answers: Sequence[str]) -> int:
    """How many new tokens a model gets to say one of these answers, or something of their kind.

    `NEW_TOKENS`, and half as much again as the longest of them where that is more.

    Args:
        encoder: made from the model's processor, in whose tokens answers are counted; the end of turn is one.
        answers: what is expected; none leaves `NEW_TOKENS`.
    """
    if not answers:
        return NEW_TOKENS
    ids = encoder.tokenizer(list(dict.fromkeys(answers)), add_special_tokens=False)["input_ids"]
    longest = 1 + max(map(len, ids))
    return max(NEW_TOKENS, longest + (longest + 1) // 2)


@torch.no_grad()
def answers(model: Any, encoder: Encoder, examples: Sequence[Example], max_new_tokens: int = NEW_TOKENS) -> list[Said]:
    """What the model says to each example, decoded greedily up to the end of its turn.

    Every row stops at its own end of turn; a batch goes on until the last row has stopped, and what stands behind a
    row's end is never part of its answer.

    Args:
        model: a transformers or PEFT model in evaluation mode.
        encoder: made from the model's processor.
        examples: asked in one batch; only image and question are shown.
        max_new_tokens: answers are cut there.

    Returns:
        One text per example, and whether it was cut.
    """
    device = next(model.parameters()).device
    inputs = encoder.batch(examples, with_answers=False).to(device).inputs
    config = GenerationConfig(
        do_sample=False,
        max_new_tokens=max_new_tokens,
        eos_token_id=sorted(encoder.end_of_turn_ids),
        pad_token_id=encoder.pad_token_id,
        use_cache=True,
    )
    with _no_settings_of_its_own(innermost(model)), generating(model):
        # In pieces, every process goes on until the last one has said all: each holds a part of every layer.
        tokens = model.generate(**inputs, generation_config=config, synced_gpus=is_sharded(model))
    return decoded(encoder, tokens[:, inputs["input_ids"].shape[1] :].tolist())


def decoded(encoder: Encoder, rows: Sequence[list[int]]) -> list[Said]:
    """Generated tokens as text: what stands before the first token that ends a turn; without one it was cut."""
    ends = encoder.end_of_turn_ids
    turns = [row[: next((at for at, token in enumerate(row) if token in ends), len(row))] for row in rows]
    texts = encoder.tokenizer.batch_decode(turns, skip_special_tokens=True)
    return [Said(text.strip(), len(turn) == len(row)) for text, turn, row in zip(texts, turns, rows, strict=True)]


@contextmanager
def _no_settings_of_its_own(model: Any) -> Iterator[None]:
    """Within: what a call to `generate` leaves open is not filled in from the checkpoint (penalties, beams, ...)."""
    own = model.generation_config
    model.generation_config = GenerationConfig(
        bos_token_id=own.bos_token_id, decoder_start_token_id=own.decoder_start_token_id
    )
    try:
        yield
    finally:
        model.generation_config = own
