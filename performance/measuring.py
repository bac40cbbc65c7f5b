"""What the benchmarks share: LLaVA-1.5-shaped models of any size with random weights, clocks, and tables.

Every benchmark compares two ways of doing the same thing within one run: both are warmed up, then run in turns, and
medians are compared. On the processor everything runs on one thread, so that figures say what work is saved.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging

from unsee.data import Example
from unsee.vlm import Encoder, LoadedModel

PATCH = 14
TOWER: dict[str, Any] = {
    "hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 2,
}  # fmt: skip
TEMPLATE = (
    "{% for message in messages %}{{ message.role + ' ' }}"
    "{% for part in message.content %}{{ '<image> ' if part.type == 'image' else part.text + ' ' }}{% endfor %}"
    "{% if message.role == 'assistant' %}</s>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}assistant {% endif %}"
)


def arguments(description: str | None, **defaults: int) -> argparse.Namespace:
    """`--json` and whole numbers with their defaults; the processor is set to one thread."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    for name, value in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value, help=f"(default: {value})")
    quiet()
    return parser.parse_args()


def quiet() -> None:
    """One thread, the same random numbers every time, and no messages of other libraries."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    logging.set_verbosity_error()
    logging.disable_progress_bar()


def processor(image_tokens: int, vocabulary: int) -> LlavaProcessor:
    """Words "w0", "w1", ... are a token each, so that lengths are known; pictures become a square of patches."""
    side = round(image_tokens**0.5)
    assert side * side == image_tokens, f"{image_tokens} image tokens are no square"
    words = ["<pad>", "<s>", "</s>", "<image>", "user", "assistant"]
    words += [f"w{number}" for number in range(vocabulary - len(words))]
    raw = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="<pad>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        padding_side="left",
        extra_special_tokens={"image_token": "<image>"},
    )
    size = side * PATCH
    pictures = CLIPImageProcessor(size={"shortest_edge": size}, crop_size={"height": size, "width": size})
    return LlavaProcessor(
        pictures,
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )


def llava(
    image_tokens: int,
    vocabulary: int = 2048,  # the head is to be as small a part of the decoder as in models of billions of weights
    width: int = 256,
    layers: int = 8,
    *,
    heads: int = 4,
    feed_forward: int | None = None,
    vision: dict[str, Any] | None = None,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> LoadedModel:
    """A LLaVA-1.5-shaped model with random weights in evaluation mode."""
    made = processor(image_tokens, vocabulary)
    side = round(image_tokens**0.5) * PATCH
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(image_size=side, patch_size=PATCH, **(vision or TOWER)),
        text_config=LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=width,
            intermediate_size=feed_forward or round(2.6875 * width),  # of Llama 2
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=heads,
            max_position_embeddings=4096,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
        ),
        image_token_index=made.image_token_id,
        image_seq_length=image_tokens,
    )
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model = LlavaForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(default)
    return LoadedModel(model.eval(), made, Encoder(made, [2]), "random weights")


def words(count: int, seed: int, vocabulary: int = 2048) -> str:
    """A text of so many tokens."""
    numbers = np.random.default_rng(seed).integers(0, vocabulary - 6, count)
    return " ".join(f"w{number}" for number in numbers)


def examples(
    count: int,
    *,
    question: int = 24,
    answer: int = 7,
    perturbed: int = 0,
    seed: int = 0,
    image_size: int = 112,
    vocabulary: int = 2048,
) -> list[Example]:
    """Questions with a picture; lengths in tokens, the answer without its end of turn."""
    made = []
    for number in range(count):
        noise = np.random.default_rng((seed, number)).integers(0, 255, (image_size, image_size, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(noise).save(buffer, "PNG")
        key = 1000 * (seed + 1) + 20 * number
        made.append(
            Example(
                question=words(question, key, vocabulary),
                answer=words(answer, key + 1, vocabulary),
                image=buffer.getvalue(),
                perturbed_answers=tuple(words(answer, key + 2 + other, vocabulary) for other in range(perturbed)),
            )
        )
    return made


def medians(ways: dict[str, Callable[[], Any]], repeats: int, warm_up: int = 1) -> dict[str, float]:
    """Median processor seconds of each way, which other programs disturb least; the ways take turns all the same."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(warm_up + repeats):
        for name, way in ways.items():
            start = time.process_time()
            way()
            if turn >= warm_up:
                seconds[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def show(title: str, rows: Sequence[dict[str, Any]], as_json: bool) -> None:
    """Print rows of the same keys, as a table or as one JSON object."""
    if as_json:
        json.dump({"benchmark": title, "torch": torch.__version__, "rows": list(rows)}, sys.stdout, indent=2)
        print()
        return
    print(title)
    lines = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
