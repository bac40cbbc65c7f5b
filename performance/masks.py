"""What a saliency mask costs: building it against plain forward and backward passes, its file against dense ones.

    python performance/masks.py --json

A LLaVA of some million random weights on batches of noise, on the CPU. Passes are timed in turn, several times each,
and the medians compared. A plain pass is what training does before its optimizer: forward, backward, gradients freed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from unsee.losses.likelihood import cross_entropy
from unsee.training.saliency import SaliencyMask
from unsee.vlm import Batch, Policy

IMAGE, ANSWER, VOCABULARY = 4, 12, 2000  # id of the image token; tokens of an answer; words
PATCHES = 16  # image tokens of a picture
TARGETS = {"time": 1.2, "float32": 30.0}


def model(width: int, layers: int) -> nn.Module:
    """A LLaVA-1.5-shaped model with random weights."""
    shape: dict[str, Any] = {"hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers}
    torch.manual_seed(0)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**shape, num_attention_heads=4, image_size=64, patch_size=16),
        text_config=LlamaConfig(**shape, num_attention_heads=4, vocab_size=VOCABULARY, max_position_embeddings=128),
        image_token_index=IMAGE,
        image_seq_length=PATCHES,
    )
    made: nn.Module = LlavaForConditionalGeneration(config).float()
    return made


def batches(count: int, rows: int, seed: int) -> list[Batch]:
    """Batches of pictures of noise with questions and answers of random words."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for _ in range(count):
        words = torch.randint(IMAGE + 1, VOCABULARY, (rows, 20 + ANSWER), generator=generator)
        ids = torch.cat([torch.full((rows, PATCHES), IMAGE), words], 1)
        pixels = torch.randn(rows, 3, 64, 64, generator=generator)
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": pixels}
        made.append(Batch(inputs, ids[:, -ANSWER:], torch.arange(rows)))
    return made


def plain(found: nn.Module, some: list[Batch]) -> None:
    """Forward and backward over batches, as training takes them."""
    policy = Policy(found)
    for batch in some:
        cross_entropy(*policy.token_log_probs(batch)).mean().backward()
        found.zero_grad(set_to_none=True)


def seconds(work: Callable[[], object]) -> float:
    """Processor time that something takes, over all threads: what else the machine is doing does not count."""
    started = time.process_time()
    work()
    return time.process_time() - started


def file_sizes(mask: SaliencyMask) -> dict[str, int]:
    """Bytes of a mask on disk: packed, and dense as bool and as float32."""
    with tempfile.TemporaryDirectory() as folder:
        places = {name: Path(folder) / f"{name}.safetensors" for name in ("packed", "bool", "float32")}
        mask.save(places["packed"])
        for name, dtype in (("bool", torch.bool), ("float32", torch.float32)):
            save_file({key: mask.mask(key).to(dtype) for key in mask.bits}, places[name])
        return {name: place.stat().st_size for name, place in places.items()}


def measure(width: int, layers: int, count: int, rows: int, repeats: int) -> dict[str, float]:
    """Every figure of one run."""
    found = model(width, layers).eval()
    forget, preserve = batches(count, rows, 1), batches(count, rows, 2)
    plain(found, forget)  # warm
    masks: list[SaliencyMask] = []
    times: dict[str, list[float]] = {"plain": [], "mask": []}
    for _ in range(repeats):
        times["plain"].append(seconds(lambda: plain(found, [*forget, *preserve])))
        times["mask"].append(seconds(lambda: masks.append(SaliencyMask.build(Policy(found), forget, preserve))))
    sizes = file_sizes(masks[-1])
    middle = {name: median(values) for name, values in times.items()}
    return {
        "weights": sum(weight.numel() for weight in found.parameters()),
        "batches": 2 * count,
        "rows_a_batch": rows,
        "threads": torch.get_num_threads(),
        "plain_seconds": round(middle["plain"], 3),
        "mask_seconds": round(middle["mask"], 3),
        "time_ratio": round(middle["mask"] / middle["plain"], 3),
        "density": round(masks[-1].density(), 4),
        **{f"{name}_bytes": size for name, size in sizes.items()},
        "float32_ratio": round(sizes["float32"] / sizes["packed"], 2),
        "bool_ratio": round(sizes["bool"] / sizes["packed"], 2),
    }


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=256, help="hidden size of both towers")
    parser.add_argument("--layers", type=int, default=4, help="of each tower")
    parser.add_argument("--batches", type=int, default=8, help="of each set")
    parser.add_argument("--rows", type=int, default=8, help="a batch")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.width, options.layers, options.batches, options.rows, options.repeats)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{found['weights']:,} weights, {found['batches']} batches of {found['rows_a_batch']} rows\n")
    print(f"{'':34}{'plain or dense':>16}{'mask':>12}{'ratio':>9}  target")
    passes = (found["plain_seconds"], found["mask_seconds"], found["time_ratio"])
    print(f"{'forward and backward, seconds':34}{passes[0]:>16}{passes[1]:>12}{passes[2]:>9}  <= {TARGETS['time']}")
    for name, target in (("float32", f">= {TARGETS['float32']:g}"), ("bool", "")):
        sizes = (found[f"{name}_bytes"], found["packed_bytes"], found[f"{name}_ratio"])
        print(f"{f'file against dense {name}, bytes':34}{sizes[0]:>16,}{sizes[1]:>12,}{sizes[2]:>9}  {target}")


if __name__ == "__main__":
    main()
