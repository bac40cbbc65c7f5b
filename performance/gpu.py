"""A 7B LLaVA-1.5-shaped model with random weights on one GPU: tokens per second, peak memory, time to build masks.

    python performance/gpu.py [--json] [--tiny]

NPO steps with bfloat16 weights and LoRA, and with all weights: float32 master weights under AdamW, and bfloat16 weights
under bitsandbytes' 8-bit AdamW where that is installed. Then saliency masks from 500 and 2,000 batches. `--tiny` walks
the same path with a small model on the processor, to see that the script runs; its figures mean nothing.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import measuring
import torch
from peft import LoraConfig, get_peft_model

from unsee.methods import UnlearnBatch
from unsee.methods.npo import NPO
from unsee.training.saliency import SaliencyMask
from unsee.vlm import PARTS, Batch, LoadedModel, Policy
from unsee.vlm.parts import linear_names
from unsee.vlm.reference import CachedReference


@dataclass(frozen=True)
class Size:
    """What is measured at."""

    image_tokens: int
    model: dict[str, Any]
    rows: int
    steps: int
    mask_batches: tuple[int, ...]
    device: str


# Of llava-hf/llava-1.5-7b-hf: Vicuna 7B behind CLIP ViT-L/14 at 336 pixels.
SEVEN_B = Size(
    image_tokens=576,
    model={
        "vocabulary": 32064,
        "width": 4096,
        "layers": 32,
        "heads": 32,
        "feed_forward": 11008,
        "vision": {
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
        },
    },
    rows=4,
    steps=10,
    mask_batches=(500, 2000),
    device="cuda",
)
TINY = Size(16, {"width": 64, "layers": 2, "vocabulary": 2048}, rows=2, steps=2, mask_batches=(2, 4), device="cpu")


def main() -> None:
    """Print a row for every way to train, and one for every number of batches that a mask is built from."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--tiny", action="store_true", help="a small model on the processor, to try the script")
    options = parser.parse_args()
    if not options.tiny and not torch.cuda.is_available():
        print("gpu.py: no GPU here; run it where there is one, or try the script with --tiny", file=sys.stderr)
        sys.exit(2)
    measuring.quiet()
    size = TINY if options.tiny else SEVEN_B
    rows = [
        training("LoRA, bfloat16", size, torch.bfloat16, _lora),
        training("all weights, float32 master", size, torch.float32, _adamw),
    ]
    if importlib.util.find_spec("bitsandbytes") and not options.tiny:
        rows.append(training("all weights, bfloat16, 8-bit AdamW", size, torch.bfloat16, _eight_bit))
    rows += masks(size)
    measuring.show("7B LLaVA-1.5-shaped" if not options.tiny else "tiny, for trying the script", rows, options.json)


def training(
    name: str, size: Size, dtype: torch.dtype, prepare: Callable[[LoadedModel], torch.optim.Optimizer]
) -> dict[str, Any]:
    """Tokens a second of NPO steps, image tokens and retain rows among them, and the most memory that was held."""
    _forget_peak(size)
    loaded = _model(size, dtype)
    optimizer = prepare(loaded)
    batch = UnlearnBatch(forget=_batch(loaded, size, 0), retain=_batch(loaded, size, 1))
    policy, reference = Policy(loaded.model), CachedReference(torch.full((size.rows,), -100.0))
    master = dtype == torch.float32

    def step() -> None:
        terms = NPO().terms(batch, policy, reference)
        while True:
            with torch.autocast(size.device, torch.bfloat16, enabled=master):
                term = next(terms, None)
            if term is None:
                break
            term.value.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    step()  # optimizer states are made here

    def steps() -> None:
        for _ in range(size.steps):
            step()

    seconds = _seconds(size, steps)
    tokens = sum(int(part.inputs["attention_mask"].sum()) for part in (batch.forget, batch.retain) if part)
    return _row(name, size, seconds, tokens * size.steps / seconds)


def masks(size: Size) -> list[dict[str, Any]]:
    """Seconds to build a saliency mask over all weights from so many batches of forget and of preserve rows."""
    found = []
    for count in size.mask_batches:
        _forget_peak(size)
        loaded = _model(size, torch.bfloat16)
        batch = _batch(loaded, size, 0)
        other = _batch(loaded, size, 1)
        half = count // 2
        seconds = _seconds(size, partial(SaliencyMask.build, Policy(loaded.model), [batch] * half, [other] * half))
        tokens = half * sum(int(part.inputs["attention_mask"].sum()) for part in (batch, other))
        found.append(_row(f"mask from {count} batches", size, seconds, tokens / seconds))
        del loaded, batch, other
    return found


def _model(size: Size, dtype: torch.dtype) -> LoadedModel:
    loaded = measuring.llava(size.image_tokens, **size.model, device=size.device, dtype=dtype)
    model: Any = loaded.model
    model.gradient_checkpointing_enable({"use_reentrant": False})
    model.train()
    return loaded


def _batch(loaded: LoadedModel, size: Size, seed: int) -> Batch:
    side = round(size.image_tokens**0.5) * measuring.PATCH
    batch = loaded.encoder.batch(measuring.examples(size.rows, answer=31, image_size=side, seed=seed)).to(size.device)
    return batch


def _lora(loaded: LoadedModel) -> torch.optim.Optimizer:
    config = LoraConfig(r=16, lora_alpha=16, target_modules=linear_names(loaded.model, PARTS))
    model: Any = loaded.model
    model.enable_input_require_grads()
    loaded.model = get_peft_model(model, config)
    return torch.optim.AdamW([weight for weight in loaded.model.parameters() if weight.requires_grad], lr=1e-5)


def _adamw(loaded: LoadedModel) -> torch.optim.Optimizer:
    return torch.optim.AdamW(loaded.model.parameters(), lr=1e-5)


def _eight_bit(loaded: LoadedModel) -> torch.optim.Optimizer:
    from bitsandbytes.optim.adamw import AdamW8bit

    adamw: type[Any] = AdamW8bit  # which declares no types
    optimizer: torch.optim.Optimizer = adamw(loaded.model.parameters(), lr=1e-5)
    return optimizer


def _forget_peak(size: Size) -> None:
    gc.collect()
    if size.device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _seconds(size: Size, work: Callable[[], Any]) -> float:
    """Wall-clock seconds until the device has finished."""
    if size.device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if size.device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _row(name: str, size: Size, seconds: float, tokens: float) -> dict[str, Any]:
    peak = torch.cuda.max_memory_allocated() / 2**30 if size.device == "cuda" else "-"
    return {"what": name, "seconds": seconds, "tokens per second": tokens, "peak GiB": peak}


if __name__ == "__main__":
    main()
