"""Batched greedy answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import GenerationConfig

from unsee.data.example import Example
from unsee.vlm.encoding import Encoder


@torch.no_grad()
def answers(model: Any, encoder: Encoder, examples: Sequence[Example], max_new_tokens: int = 64) -> list[str]:
    """What the model says to each example, decoded greedily up to the end of its turn.

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
    tokens = model.generate(**inputs, generation_config=config)
    said = tokens[:, inputs["input_ids"].shape[1] :]
    return [text.strip() for text in encoder.tokenizer.batch_decode(said, skip_special_tokens=True)]
