"""A tiny but real LLaVA: transformers classes, a trained tokenizer, a chat template, an ordinary checkpoint."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

IMAGE_SIZE, PATCH_SIZE = 64, 16  # pixels; 16 image tokens per picture
VISION_WIDTH, VISION_LAYERS = 128, 3
LANGUAGE_WIDTH, LANGUAGE_LAYERS = 128, 4
# About width ** -0.5. With the usual 0.02 of wide models, layers as narrow as these start out nearly mute and take
# several times as many steps to learn the same facts.
INITIALIZER_RANGE = 0.08

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ 'USER:' if message.role == 'user' else ' ASSISTANT:' }}"
    "{% if message.content is string %}{{ ' ' + message.content }}{% else %}"
    "{% for part in message.content %}"
    "{% if part.type == 'image' %}<image>{% else %}{{ ' ' + part.text }}{% endif %}"
    "{% endfor %}{% endif %}"
    "{% if message.role == 'assistant' %}{{ eos_token }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %} ASSISTANT:{% endif %}"
)


def vision_config(patch_size: int = PATCH_SIZE) -> CLIPVisionConfig:
    """The image encoder."""
    return CLIPVisionConfig(
        hidden_size=VISION_WIDTH,
        intermediate_size=2 * VISION_WIDTH,
        projection_dim=VISION_WIDTH,
        num_hidden_layers=VISION_LAYERS,
        num_attention_heads=4,
        image_size=IMAGE_SIZE,
        patch_size=patch_size,
    )


def make_processor(texts: Iterable[str], vocabulary: int = 4096, patch_size: int = PATCH_SIZE) -> LlavaProcessor:
    """A LLaVA processor whose byte-level BPE tokenizer is trained on some texts.

    Args:
        texts: everything that the model will read; words that occur twice or more mostly become one token each.
        vocabulary: at most so many tokens.
        patch_size: of the image encoder, in pixels; each patch is an image token.
    """
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=trained_tokenizer(texts, ["<pad>", "<s>", "</s>", "<image>"], vocabulary),
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        extra_special_tokens={"image_token": "<image>"},
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    pictures = CLIPImageProcessor(
        size={"shortest_edge": IMAGE_SIZE}, crop_size={"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    )
    return LlavaProcessor(
        image_processor=pictures,
        tokenizer=wrapped,
        patch_size=patch_size,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT_TEMPLATE,
    )


def trained_tokenizer(texts: Iterable[str], specials: list[str], vocabulary: int) -> Tokenizer:
    """A byte-level BPE that is trained on some texts.

    Args:
        texts: everything that a model will read.
        specials: tokens that no text holds.
        vocabulary: at most so many tokens.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def make_model(processor: LlavaProcessor, seed: int, layers: int = LANGUAGE_LAYERS) -> LlavaForConditionalGeneration:
    """A randomly initialised LLaVA for a processor, with so many language layers; the same seed, the same weights."""
    tokenizer = processor.tokenizer
    specials = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    language = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=LANGUAGE_WIDTH,
        intermediate_size=3 * LANGUAGE_WIDTH,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        initializer_range=INITIALIZER_RANGE,
        **specials,
    )
    config = LlavaConfig(
        vision_config=vision_config(processor.patch_size),
        text_config=language,
        image_token_index=processor.image_token_id,
        image_seq_length=(IMAGE_SIZE // processor.patch_size) ** 2,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
        **specials,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LlavaForConditionalGeneration(config)
