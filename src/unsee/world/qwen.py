"""A tiny but real Qwen2.5-VL: dynamic resolution, windows in its tower, multimodal rotary positions, ChatML."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

from unsee.world.architecture import (
    IMAGE_SIZE,
    INITIALIZER_RANGE,
    LANGUAGE_LAYERS,
    LANGUAGE_WIDTH,
    VISION_LAYERS,
    VISION_WIDTH,
    trained_tokenizer,
)

PATCH_SIZE, MERGED = 8, 2  # pixels; patches along either edge of an image token, of which there are 16 in a picture
HEADS = 4
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_SPECIALS = [
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"),
    *("<|image_pad|>", "<|video_pad|>"),
]


def make_processor(texts: Iterable[str], vocabulary: int = 4096) -> Qwen2_5_VLProcessor:
    """A Qwen2.5-VL processor whose byte-level BPE tokenizer is trained on some texts.

    Args:
        texts: everything that the model will read.
        vocabulary: at most so many tokens.
    """
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=trained_tokenizer(texts, _SPECIALS, vocabulary),
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        extra_special_tokens={
            "image_token": "<|image_pad|>",
            "video_token": "<|video_pad|>",
            "vision_bos_token": "<|vision_start|>",
            "vision_eos_token": "<|vision_end|>",
        },
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    pixels = IMAGE_SIZE * IMAGE_SIZE
    sizes: dict[str, Any] = {"patch_size": PATCH_SIZE, "merge_size": MERGED, "min_pixels": pixels, "max_pixels": pixels}
    return Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(**sizes), tokenizer, Qwen2VLVideoProcessor(**sizes), chat_template=CHAT_TEMPLATE
    )


def make_model(processor: Qwen2_5_VLProcessor, seed: int) -> Qwen2_5_VLForConditionalGeneration:
    """A randomly initialised Qwen2.5-VL for a processor, its tower included; the same seed, the same weights."""
    tokenizer = processor.tokenizer
    token = tokenizer.convert_tokens_to_ids
    rotary = LANGUAGE_WIDTH // HEADS // 2  # pairs of a head, shared out between time, height and width
    sections = [rotary - 2 * (3 * rotary // 8), 3 * rotary // 8, 3 * rotary // 8]
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": LANGUAGE_WIDTH,
            "intermediate_size": 3 * LANGUAGE_WIDTH,
            "num_hidden_layers": LANGUAGE_LAYERS,
            "num_attention_heads": HEADS,
            "num_key_value_heads": HEADS,
            "max_position_embeddings": 1024,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": sections},
            "initializer_range": INITIALIZER_RANGE,
            "bos_token_id": token("<|endoftext|>"),
            "eos_token_id": token("<|im_end|>"),
            "pad_token_id": token("<|endoftext|>"),
        },
        vision_config={
            "depth": VISION_LAYERS,
            "hidden_size": VISION_WIDTH,
            "intermediate_size": 2 * VISION_WIDTH,
            "num_heads": HEADS,
            "out_hidden_size": LANGUAGE_WIDTH,
            "patch_size": PATCH_SIZE,
            "spatial_merge_size": MERGED,
            "window_size": IMAGE_SIZE // 2,
            "fullatt_block_indexes": [VISION_LAYERS - 1],
            "initializer_range": INITIALIZER_RANGE,
        },
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Qwen2_5_VLForConditionalGeneration(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model
