"""What each of two processes of `tests/training/test_sharding.py` does: one short training after another, in pieces.

Run as `python -m tests.training.in_pieces FOLDER CASE...` with what `accelerate launch --use_fsdp` sets.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tests import tiny
from tests.architectures import mllama
from tests.training.lockstep import FORGET, RETAIN, OneSided
from tests.vlm.test_matrix import spanned
from unsee.methods import build
from unsee.methods.gate import Gate
from unsee.system import processes
from unsee.system.launch import asks_for_shards
from unsee.training.config import UnlearnConfig
from unsee.training.guard import HeldOutGuard
from unsee.training.trainer import UnlearnTrainer
from unsee.types import PARTS
from unsee.vlm.parts import freeze_other_parts
from unsee.vlm.save import save
from unsee.vlm.sharded import in_one_piece, is_sharded, local

FAMILIES = {"llava": tiny.llava, "qwen": tiny.qwen, "mllama": mllama}
SAVED = 2  # the step of the checkpoint that cases with `resumed` go on from


def train(case: str, folder: Path, batch_size: int, resume: Path | None = None) -> UnlearnTrainer:
    """Three steps of a case such as `qwen-npo-projector-accumulated`; what it ends with is written to `folder`."""
    family, name, moving, *ways = case.split("-")
    loaded = FAMILIES[family]()
    if "half" in ways:
        loaded.model.to(torch.bfloat16)
    freeze_other_parts(loaded.model, [part for part in PARTS if moving in (part, "all")])
    method: Any = OneSided() if name == "one_sided" else build(name)
    settings: dict[str, Any] = {
        "max_steps": 3, "per_device_train_batch_size": batch_size, "learning_rate": 1e-3, "max_grad_norm": 0.5,
        "adam_epsilon": 1e-4,  # gradients of rounding errors alone, as of a divergence from itself, count for nothing
        "save_strategy": "steps" if "resumed" in ways else "no", "save_steps": SAVED,
        "gradient_accumulation_steps": 2 if "accumulated" in ways else 1,
        "saliency_file": str(folder / "saliency.safetensors"),
        "use_cpu": True, "report_to": "none", "disable_tqdm": True,
    }  # fmt: skip
    drop = 1e-4 if "stopped" in ways else 100.0  # nats per token
    trainer = UnlearnTrainer(
        loaded,
        UnlearnConfig(output_dir=str(folder), **settings),
        method=method,
        forget=[spanned(row) for row in FORGET] if method.needs.spans else FORGET,
        retain=RETAIN,
        gate=Gate() if "gated" in ways else None,
        callbacks=[HeldOutGuard(loaded.encoder, FORGET, drop, 1, 2)] if {"guarded", "stopped"} & set(ways) else None,
    )
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    written = in_one_piece(loaded)
    if processes.is_main():
        save(written, folder / "model")
    return trainer


def main(folder: Path, cases: list[str]) -> None:
    """Every case in turn, and again from its checkpoint where it has one."""
    torch.set_num_threads(1)
    for case in cases:
        print(case, flush=True)  # the last one that is printed is the one that hangs
        try:
            trainer = train(case, folder / case / "two", batch_size=1)
        except FloatingPointError as error:
            print(error, flush=True)
            continue
        assert is_sharded(trainer.policy_model) == asks_for_shards()
        held = {name: local(weight.detach()).clone() for name, weight in trainer.policy_model.named_parameters()}
        save_file(held, folder / case / f"held.{processes.rank()}.safetensors")
        if "resumed" in case:
            train(case, folder / case / "again", batch_size=1, resume=folder / case / "two" / f"checkpoint-{SAVED}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
