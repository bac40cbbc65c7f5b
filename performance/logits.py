"""Logits at the answers alone against logits everywhere: time and peak memory of a training step.

    python performance/logits.py [--json]

Each way runs in a process of its own, for whose memory the operating system answers: "extra" is the most that a step
held beyond what the process had before it. Both compute the same loss, the cross-entropy of the answers.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import measuring
import psutil
import torch

from unsee.losses.likelihood import cross_entropy
from unsee.vlm import Batch, LoadedModel, Policy, TokenLogProbs

WAYS = ("answers", "everywhere")


def main() -> None:
    """Compare both ways at both vocabularies; with `--only`, run one of them and print what it took."""
    if len(sys.argv) == 4 and sys.argv[1] == "--only":
        measuring.quiet()
        print(json.dumps(step(sys.argv[2], int(sys.argv[3]))))
        return
    options = measuring.arguments(__doc__)
    rows = []
    for vocabulary in (32_000, 150_000):
        found = {way: _in_a_process_of_its_own(way, vocabulary) for way in WAYS}
        ours, theirs = (found[way] for way in WAYS)
        assert abs(ours["loss"] - theirs["loss"]) < 1e-4, "the two ways differ in their loss"
        rows.append(
            {
                "vocabulary": vocabulary,
                **{f"{way} s": found[way]["seconds"] for way in WAYS},
                "ratio": theirs["seconds"] / ours["seconds"],
                **{f"{way} extra MB": found[way]["megabytes"] for way in WAYS},
                "memory ratio": theirs["megabytes"] / ours["megabytes"],
            }
        )
    measuring.show("answer-only logits against full logits, a training step at 576 image tokens", rows, options.json)


def step(way: str, vocabulary: int) -> dict[str, float]:
    """Median seconds of forward and backward, and the megabytes that they took at most."""
    loaded = measuring.llava(576, vocabulary, width=256, layers=2)
    batch = loaded.encoder.batch(measuring.examples(2, answer=15, image_size=336))
    before = psutil.Process().memory_info().rss
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far, when weights were made, is forgotten
    loss = _step(loaded, batch, way)
    peak = _peak_bytes()
    seconds = measuring.medians({way: lambda: _step(loaded, batch, way)}, repeats=3, warm_up=0)[way]
    return {"seconds": seconds, "megabytes": (peak - before) / 2**20, "loss": loss}


def _step(loaded: LoadedModel, batch: Batch, way: str) -> float:
    policy = Policy(loaded.model)
    if way == "answers":
        token = policy.token_log_probs(batch)
    else:
        kept = batch.labels.shape[1]
        logits = loaded.model(**batch.inputs, use_cache=False).logits.float()
        log_probs = torch.log_softmax(logits, dim=-1)[:, -kept - 1 : -1]
        mask = batch.labels != -100
        values = log_probs.gather(-1, batch.labels.masked_fill(~mask, 0).unsqueeze(-1)).squeeze(-1)
        token = TokenLogProbs(values.masked_fill(~mask, 0.0), mask)
    loss = cross_entropy(token.values, token.mask).mean()
    loss.backward()
    loaded.model.zero_grad(set_to_none=True)
    return float(loss.detach())


def _peak_bytes() -> int:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def _in_a_process_of_its_own(way: str, vocabulary: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--only", way, str(vocabulary)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


if __name__ == "__main__":
    main()
