"""Tiny random models of further families; `tests.families` puts them beside the two of `tests.tiny`.

Templates have the shape of the published ones. Images become several tiles where the family cuts them up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import (
    CLIPVisionConfig,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessor,
    Gemma3Processor,
    GotOcr2ImageProcessor,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessor,
    Idefics3Processor,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    InternVLVideoProcessor,
    LlamaConfig,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextImageProcessor,
    LlavaNextProcessor,
    MistralConfig,
    MllamaConfig,
    MllamaForConditionalGeneration,
    MllamaImageProcessor,
    MllamaProcessor,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessor,
    Qwen2VLProcessor,
    Qwen2VLVideoProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMImageProcessor,
    SmolVLMProcessor,
    SmolVLMVideoProcessor,
)
from transformers.utils.import_utils import is_num2words_available

from tests.tiny import CHATML_TEMPLATE, loaded, qwen_tokenizer, tokenizer
from unsee.vlm import LoadedModel

TEXT: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "max_position_embeddings": 512,
}  # fmt: skip
VISION: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "image_size": 32, "patch_size": 8,
}  # fmt: skip
SQUARE = {"height": 32, "width": 32}

INST_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}[INST] "
    "{% for part in message.content if part.type == 'image' %}<image>\n{% endfor %}"
    "{% for part in message.content if part.type == 'text' %}{{ part.text }}{% endfor %} [/INST]"
    "{% else %} {{ message.content[0].text }}{{ eos_token }}{% endif %}{% endfor %}"
)
UTTERANCE_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ message.role | capitalize }}:"
    "{% if message.content[0].type != 'image' %} {% endif %}"
    "{% for part in message.content %}{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)
CONTEXT_TEMPLATE = CHATML_TEMPLATE.replace("<|vision_start|><|image_pad|><|vision_end|>", "<IMG_CONTEXT>\n")
HEADER_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message.role }}<|end_header_id|>\n\n"
    "{% for part in message.content %}{% if part.type == 'image' %}<|image|>{% else %}{{ part.text | trim }}{% endif %}"
    "{% endfor %}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
TURNS_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<start_of_turn>"
    "{{ 'model' if message.role == 'assistant' else message.role }}\n"
    "{% for part in message.content %}{% if part.type == 'image' %}<start_of_image>"
    "{% else %}{{ part.text | trim }}{% endif %}{% endfor %}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)


def llava_next(seed: int = 0) -> LoadedModel:
    """LLaVA-NeXT-shaped: an image becomes an overview and a grid of tiles, lines end in a learned vector; Mistral."""
    text = tokenizer(
        ["<unk>", "<s>", "</s>", "<image>", "<pad>"],
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        extra_special_tokens={"image_token": "<image>"},
    )
    grid = [[32, 64], [64, 32], [64, 64]]
    pictures = LlavaNextImageProcessor(size={"shortest_edge": 32}, crop_size=SQUARE, image_grid_pinpoints=grid)
    processor = LlavaNextProcessor(
        pictures,
        text,
        patch_size=16,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=INST_TEMPLATE,
    )
    config = LlavaNextConfig(
        vision_config=CLIPVisionConfig(**(VISION | {"patch_size": 16, "num_hidden_layers": 3})),
        text_config=MistralConfig(vocab_size=len(text), **TEXT, **_ids(text)),
        image_token_index=processor.image_token_id,
        image_grid_pinpoints=grid,
    )
    return loaded(LlavaNextForConditionalGeneration, config, processor, seed)


def qwen2_vl(seed: int = 0) -> LoadedModel:
    """Qwen2-VL-shaped: as Qwen2.5-VL, but every layer of its tower sees the whole image."""
    text = qwen_tokenizer()
    sizes: dict[str, Any] = {"patch_size": 14, "merge_size": 2, "min_pixels": 28 * 28, "max_pixels": 84 * 84}
    processor = Qwen2VLProcessor(
        Qwen2VLImageProcessor(**sizes), text, Qwen2VLVideoProcessor(**sizes), chat_template=CHATML_TEMPLATE
    )
    config = Qwen2VLConfig(
        text_config={**_qwen_text(text), "rope_parameters": _mrope()},
        vision_config={"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2},
        **_qwen_tokens(text),
    )
    return loaded(Qwen2VLForConditionalGeneration, config, processor, seed)


def qwen3_vl(seed: int = 0) -> LoadedModel:
    """Qwen3-VL-shaped: features of early layers of the tower enter early layers of the decoder (DeepStack)."""
    text = qwen_tokenizer()
    edges = {"shortest_edge": 32 * 32, "longest_edge": 96 * 96}
    sizes: dict[str, Any] = {"patch_size": 16, "merge_size": 2, "size": edges}
    processor = Qwen3VLProcessor(
        Qwen2VLImageProcessor(**sizes), text, Qwen3VLVideoProcessor(**sizes), chat_template=CHATML_TEMPLATE
    )
    config = Qwen3VLConfig(
        text_config={**_qwen_text(text), "head_dim": 16, "rope_parameters": _mrope(mrope_interleaved=True)},
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": 32,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0],
        },
        **_qwen_tokens(text),
    )
    return loaded(Qwen3VLForConditionalGeneration, config, processor, seed)


def _qwen_text(text: PreTrainedTokenizerFast) -> dict[str, Any]:
    return {"vocab_size": len(text), **TEXT, "num_key_value_heads": 2, **_ids(text)}


def _mrope(**more: Any) -> dict[str, Any]:
    return {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3], **more}


def _qwen_tokens(text: PreTrainedTokenizerFast) -> dict[str, Any]:
    token = text.convert_tokens_to_ids
    return {
        "image_token_id": token("<|image_pad|>"),
        "video_token_id": token("<|video_pad|>"),
        "vision_start_token_id": token("<|vision_start|>"),
        "vision_end_token_id": token("<|vision_end|>"),
    }


def idefics3(seed: int = 0) -> LoadedModel:
    """Idefics3-shaped: tiles with row and column tokens and an overview, padded to the most tiles of a batch."""
    text = _utterance_tokenizer()
    tiling: dict[str, Any] = {"size": {"longest_edge": 64}, "max_image_size": {"longest_edge": 32}}
    processor = Idefics3Processor(
        Idefics3ImageProcessor(**tiling), text, image_seq_len=4, chat_template=UTTERANCE_TEMPLATE
    )
    return loaded(Idefics3ForConditionalGeneration, _utterance_config(Idefics3Config, text), processor, seed)


def smolvlm(seed: int = 0) -> LoadedModel:
    """SmolVLM-shaped: Idefics3 with videos."""
    if not is_num2words_available():
        pytest.skip("transformers' SmolVLMProcessor needs the package num2words, which is not installed")
    text = _utterance_tokenizer()
    tiling: dict[str, Any] = {"size": {"longest_edge": 64}, "max_image_size": {"longest_edge": 32}}
    sampling: dict[str, Any] = {
        "video_sampling": {"max_frames": 2, "fps": 1, "skip_secs": 0, "video_size": {"longest_edge": 32}}
    }
    processor = SmolVLMProcessor(
        SmolVLMImageProcessor(**tiling),
        text,
        SmolVLMVideoProcessor(**tiling, **sampling),
        image_seq_len=4,
        chat_template=UTTERANCE_TEMPLATE,
    )
    return loaded(SmolVLMForConditionalGeneration, _utterance_config(SmolVLMConfig, text), processor, seed)


def _utterance_tokenizer() -> PreTrainedTokenizerFast:
    specials = ["<|begin_of_text|>", "<|end_of_text|>", "<pad>", "<image>", "<fake_token_around_image>"]
    specials += ["<end_of_utterance>", "<global-img>"]
    specials += [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    return tokenizer(specials, pad_token="<pad>", bos_token="<|begin_of_text|>", eos_token="<end_of_utterance>")


def _utterance_config(kind: Any, text: PreTrainedTokenizerFast) -> Any:
    return kind(
        text_config=LlamaConfig(vocab_size=len(text), **TEXT, **_ids(text)),
        vision_config=VISION,
        scale_factor=2,
        image_token_id=text.convert_tokens_to_ids("<image>"),
    )


def internvl(seed: int = 0) -> LoadedModel:
    """InternVL-shaped: an image becomes one to three tiles and a thumbnail, all images of a batch in one row."""
    text = tokenizer(
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "<video>"],
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        extra_special_tokens={
            "start_image_token": "<img>",
            "end_image_token": "</img>",
            "context_image_token": "<IMG_CONTEXT>",
            "video_token": "<video>",
        },
    )
    processor = InternVLProcessor(
        GotOcr2ImageProcessor(size=SQUARE, min_patches=1, max_patches=3, crop_to_patches=True),
        text,
        InternVLVideoProcessor(size=SQUARE),
        image_seq_length=4,
        chat_template=CONTEXT_TEMPLATE,
    )
    config = InternVLConfig(
        vision_config=VISION,
        text_config=Qwen2Config(vocab_size=len(text), **TEXT, **_ids(text)),
        image_token_id=processor.image_token_id,
        image_seq_length=4,
        tie_word_embeddings=False,
    )
    return loaded(InternVLForConditionalGeneration, config, processor, seed)


def gemma3(seed: int = 0) -> LoadedModel:
    """Gemma-3-shaped: image tokens see each other in both directions, layers with a window, head tied to embeddings."""
    text = tokenizer(
        ["<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>",
         "<image_soft_token>"],
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<end_of_turn>",
        extra_special_tokens={
            "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>",
        },
    )  # fmt: skip
    processor = Gemma3Processor(
        Gemma3ImageProcessor(size=SQUARE), text, chat_template=TURNS_TEMPLATE, image_seq_length=4
    )
    token: Callable[[str], Any] = text.convert_tokens_to_ids
    config = Gemma3Config(
        text_config={
            **TEXT,
            "vocab_size": len(text),
            "head_dim": 16,
            "query_pre_attn_scalar": 16,
            "sliding_window": 24,
            "layer_types": ["sliding_attention", "full_attention"],
            **_ids(text),
        },
        vision_config={**VISION, "model_type": "siglip_vision_model", "vision_use_head": False},
        mm_tokens_per_image=4,
        boi_token_index=token("<start_of_image>"),
        eoi_token_index=token("<end_of_image>"),
        image_token_index=token("<image_soft_token>"),
    )
    found = loaded(Gemma3ForConditionalGeneration, config, processor, seed)
    model: Any = found.model
    with torch.no_grad():  # it starts at zero, where no image would make a difference
        model.model.multi_modal_projector.mm_input_projection_weight.normal_(
            std=0.2, generator=torch.Generator().manual_seed(seed)
        )
    return found


def mllama(seed: int = 0) -> LoadedModel:
    """Llama-3.2-Vision-shaped: layers that look at the tiles of an image, which every token names; head untied."""
    text = tokenizer(
        ["<|begin_of_text|>", "<|end_of_text|>", "<pad>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",
         "<|image|>"],
        pad_token="<pad>",
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        extra_special_tokens={"image_token": "<|image|>"},
    )  # fmt: skip
    processor = MllamaProcessor(
        MllamaImageProcessor(size=SQUARE, max_image_tiles=4), text, chat_template=HEADER_TEMPLATE
    )
    token: Callable[[str], Any] = text.convert_tokens_to_ids
    ratios = [[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [2, 2], [3, 1], [4, 1]]
    config = MllamaConfig(
        vision_config={
            **VISION,
            "attention_heads": 2,
            "num_global_layers": 1,
            "max_num_tiles": 4,
            "intermediate_layers_indices": [1],
            "vision_output_dim": 64,
            "supported_aspect_ratios": ratios,
        },
        text_config={
            "vocab_size": len(text), **TEXT, "num_hidden_layers": 3, "cross_attention_layers": [1], **_ids(text),
        },
        image_token_index=token("<|image|>"),
    )  # fmt: skip
    found = loaded(MllamaForConditionalGeneration, config, processor, seed)
    with torch.no_grad():  # its gates start at zero, where no image would make a difference
        for name, weight in found.model.named_parameters():
            if "gate" in name and weight.numel() == 1:
                weight.fill_(0.5)
    return found


def _ids(text: PreTrainedTokenizerFast) -> dict[str, Any]:
    return {
        "pad_token_id": text.pad_token_id,
        "bos_token_id": text.bos_token_id,
        "eos_token_id": text.eos_token_id,
    }
