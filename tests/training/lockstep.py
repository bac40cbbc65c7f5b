"""What each of two processes of `tests/training/test_lockstep.py` does: one short training after another.

Run as `python -m tests.training.lockstep FOLDER CASE...` with what `accelerate launch` sets: RANK, WORLD_SIZE and
the like.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors.torch import save_file
from torch import Tensor

from tests import tiny
from tests.families import weights_of
from tests.vlm.test_matrix import spanned
from unsee.methods import Needs, Term, UnlearnBatch, build
from unsee.system import processes
from unsee.training.config import UnlearnConfig
from unsee.training.trainer import UnlearnTrainer
from unsee.types import PARTS, Part
from unsee.vlm import LoadedModel, LoraOptions, Policy, load
from unsee.vlm.parts import freeze_other_parts

# Of either set every third row is in words alone, so that in most steps one of two processes has a picture.
FORGET, RETAIN = tiny.examples(3), tiny.examples(4, seed=1)


@dataclass(frozen=True)
class OneSided:
    """A method whose loss is no number in one of two processes."""

    name: ClassVar[str] = "one_sided"
    paper: ClassVar[str] = "none"
    needs: ClassVar[Needs] = Needs()

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Any) -> Iterator[Term]:
        """NaN in the second process at the second step."""
        assert batch.forget is not None
        loss = -policy.answer_log_probs(batch.forget).mean()
        yield Term("forget", loss * float("nan") if batch.step == 1 and processes.rank() == 1 else loss)


def loaded_for(part: Part, lora: bool, folder: Path) -> LoadedModel:
    """The tiny model of which one part may move."""
    if not lora:
        loaded = tiny.llava()
        freeze_other_parts(loaded.model, (part,))
        return loaded
    torch.manual_seed(processes.rank())  # the processes must agree on an adapter all the same
    return load(folder / "model", parts=(part,), lora=LoraOptions(rank=2), device="cpu")


def train(case: str, folder: Path, batch_size: int, **settings: Any) -> dict[str, Tensor]:
    """Three steps of a case such as `npo-projector` or `npo-projector-lora`; the weights that may move, afterwards."""
    name, moving_part, *ways = case.split("-")
    (part,) = (part for part in PARTS if part == moving_part)
    method: Any = OneSided() if name == "one_sided" else build(name)
    loaded = loaded_for(part, "lora" in ways, folder)
    defaults: dict[str, Any] = {
        "max_steps": 3, "per_device_train_batch_size": batch_size, "learning_rate": 1e-3, "save_strategy": "no",
        "adam_epsilon": 1e-4,  # gradients of rounding errors alone, as of a divergence from itself, count for nothing
        "use_cpu": True, "report_to": "none", "disable_tqdm": True,
    } | ({"gradient_accumulation_steps": 2} if "accumulated" in ways else {})  # fmt: skip
    spans = method.needs.spans
    trainer = UnlearnTrainer(
        loaded,
        UnlearnConfig(output_dir=str(folder), **defaults | settings),
        method=method,
        forget=[spanned(row) for row in FORGET] if spans else FORGET,
        retain=RETAIN,
    )
    trainer.train()
    moving = {name for name, weight in loaded.model.named_parameters() if weight.requires_grad}
    return {name: weight for name, weight in weights_of(loaded.model).items() if name in moving}


def main(folder: Path, cases: list[str]) -> None:
    """Every case in turn; what it ends with goes to a file of this process."""
    torch.set_num_threads(1)
    for case in cases:
        print(case, flush=True)  # the last one that is printed is the one that hangs
        save_file(train(case, folder, batch_size=1), folder / f"{case}.{processes.rank()}.safetensors")
    try:
        train("one_sided-language", folder, batch_size=1)
    except FloatingPointError as error:
        print(error, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
