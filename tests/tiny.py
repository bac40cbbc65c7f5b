"""Tiny random vision-language models of real classes, with real processors, built from configurations."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

from unsee.data import Example
from unsee.vlm import Encoder, LoadedModel

CORPUS = (
    "USER: ASSISTANT: Where does this person live? What is the colour of the ground? Riga Oslo San Francisco Lima "
    "red green blue Ada Byron lives in London system user assistant"
)

# The shape of LLaVA-1.5's template: a space before the answer, and no end of turn.
LLAVA_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ message.role.upper() + ': ' }}"
    "{% for part in message.content if part.type == 'image' %}<image>\n{% endfor %}"
    "{% for part in message.content if part.type == 'text' %}{{ part.text + ' ' }}{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
# The shape of ChatML: turns end in a token that is not the end of the sequence, and a line break follows it.
CHATML_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% for part in message.content %}{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tokenizer(specials: Sequence[str], **named: Any) -> PreTrainedTokenizerFast:
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=list(specials),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator([" " + word for word in CORPUS.split()] * 3, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=raw, padding_side="left", **named)


def llava(seed: int = 0) -> LoadedModel:
    """LLaVA-1.5-shaped: CLIP tower read at layer -2, projector, Llama."""
    text = tokenizer(
        ["<pad>", "<s>", "</s>", "<image>"],
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        extra_special_tokens={"image_token": "<image>"},
    )
    pictures = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor = LlavaProcessor(
        pictures,
        text,
        patch_size=16,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=LLAVA_TEMPLATE,
    )
    ids = {"pad_token_id": text.pad_token_id, "bos_token_id": text.bos_token_id, "eos_token_id": text.eos_token_id}
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=3,
            num_attention_heads=2,
            image_size=32,
            patch_size=16,
        ),
        text_config=LlamaConfig(
            vocab_size=len(text),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            **ids,
        ),
        image_token_index=processor.image_token_id,
        image_seq_length=4,
        **ids,
    )
    return loaded(LlavaForConditionalGeneration, config, processor, seed)


def qwen_tokenizer() -> PreTrainedTokenizerFast:
    """What the Qwen-VL families have beside words."""
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"]
    specials += ["<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]
    return tokenizer(
        specials,
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        extra_special_tokens={
            "image_token": "<|image_pad|>",
            "video_token": "<|video_pad|>",
            "vision_bos_token": "<|vision_start|>",
            "vision_eos_token": "<|vision_end|>",
        },
    )


def qwen(seed: int = 0) -> LoadedModel:
    """Qwen2.5-VL-shaped: dynamic resolution, merger inside the tower, multimodal rotary positions, ChatML."""
    text = qwen_tokenizer()
    sizes: dict[str, Any] = {"patch_size": 14, "merge_size": 2, "min_pixels": 28 * 28, "max_pixels": 84 * 84}
    processor = Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(**sizes), text, Qwen2VLVideoProcessor(**sizes), chat_template=CHATML_TEMPLATE
    )
    token: Callable[[str], Any] = text.convert_tokens_to_ids
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(text),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]},
            "bos_token_id": token("<|endoftext|>"),
            "eos_token_id": token("<|im_end|>"),
            "pad_token_id": token("<|endoftext|>"),
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": 32,
            "patch_size": 14,
            "window_size": 56,
            "fullatt_block_indexes": [1],
        },
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
    )
    return loaded(Qwen2_5_VLForConditionalGeneration, config, processor, seed)


FAMILIES = {"llava": llava, "qwen2_5_vl": qwen}


def loaded(architecture: Any, config: Any, processor: Any, seed: int) -> LoadedModel:
    """A model with random weights, always the same ones for a seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = architecture(config).float()
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    return LoadedModel(model, processor, Encoder(processor, [processor.tokenizer.eos_token_id]), "tiny")


def save(found: LoadedModel, folder: Path) -> Path:
    """Write a checkpoint with its processor, as it would lie on the hub."""
    model: Any = found.model
    model.save_pretrained(folder)
    found.processor.save_pretrained(folder)
    return folder


def picture(seed: int, size: tuple[int, int] = (48, 40)) -> bytes:
    """A PNG of noise."""
    noise = np.random.default_rng(seed).integers(0, 255, (*reversed(size), 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    return buffer.getvalue()


def examples(count: int, seed: int = 0, mixed: bool = True) -> list[Example]:
    """Questions with answers of several lengths, every third of them without an image."""
    cities = ["Riga", "Oslo", "San Francisco", "Lima", "London"]
    return [
        Example(
            question="Where does this person live?" if number % 3 or not mixed else f"Where does Ada {number} live?",
            answer=cities[(number + seed) % len(cities)],
            image=picture(100 * seed + number, (40 + 20 * (number % 2), 40)) if number % 3 or not mixed else None,
            subject=f"person {number % 4}",
            fact="city",
        )
        for number in range(count)
    ]
