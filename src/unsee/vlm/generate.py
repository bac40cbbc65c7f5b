"""Batched greedy answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers import GenerationConfig

from unsee.data.example import Example
from unsee.vlm.encoding import Encoder
from unsee.vlm.policy import innermost


@torch.no_grad()
def answers(model: Any, encoder: Encoder, examples: Sequence[Example], max_new_tokens: int = 64) -> list[str]:
    """What the model says to each example, decoded greedily up to the end of its turn.

    Every row stops at its own end of turn; a batch goes on until the last row has stopped, and what stands behind a
    row's end is never part of its answer.

    Args:
        model: a transformers or PEFT model in evaluation mode.
        encoder: made from the model's processor.
        examples: asked in one batch; only image and question are shown.
        max_new_tokens: answers are cut there.

    Returns:
        One text an example, special tokens left out, white space stripped at both ends.
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
    with _no_settings_of_its_own(innermost(model)):
        tokens = model.generate(**inputs, generation_config=config)
    said = tokens[:, inputs["input_ids"].shape[1] :].tolist()
    turns = [_until(row, encoder.end_of_turn_ids) for row in said]
    return [text.strip() for text in encoder.tokenizer.batch_decode(turns, skip_special_tokens=True)]


def _until(tokens: list[int], ends: frozenset[int]) -> list[int]:
    """Tokens before the first that ends a turn."""
    return tokens[: next((place for place, token in enumerate(tokens) if token in ends), len(tokens))]


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
