"""A training of which each process holds a piece of every weight, gradient and optimizer state (FSDP2).

Every process comes to the same collectives in the same order, whatever its rows are made of:

- All pass the same layers, forward and backward; see `unsee.vlm.sharded`.
- A gradient that one process has and another has not (of a vision tower, where rows are in words alone) counts as zero
  there; one that nobody has stays away, so that the optimizer leaves its weight alone as it would in one process.
- A term whose value is no number in one process is passed over by all.

Checkpoints are those of one process: whole weights under the names of the hub, whole optimizer states. Any number of
processes can go on from them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from transformers import Trainer
from transformers.trainer import OPTIMIZER_NAME, SCHEDULER_NAME

from unsee.vlm.sharded import as_piece, gathered, is_sharded, local, rows_of, whole


def end_alike(model: nn.Module, loss: Tensor) -> None:
    """Let the backward pass of a loss end with the same gradients in every process.

    The layers of the decoder average theirs within the pass. What is gathered with the model itself is averaged at its
    end, and is made up for before that.

    Args:
        model: in pieces; its forward pass lies behind.
        loss: whose backward pass comes next.
    """

    def at_the_end() -> None:
        weights = [weight for weight in model.parameters() if weight.requires_grad and not isinstance(weight, DTensor)]
        if not weights:
            return
        present = torch.tensor([w.grad is not None for w in weights], dtype=torch.uint8, device=weights[0].device)
        dist.all_reduce(present, op=dist.ReduceOp.MAX)
        for weight, somewhere in zip(weights, present.tolist(), strict=True):
            if somewhere and weight.grad is None:
                weight.grad = torch.zeros_like(weight)

    def begin(gradient: Tensor) -> None:
        # Called in their order: FSDP queues its own, which averages, when the pass has come to the model.
        torch.autograd.Variable._execution_engine.queue_callback(at_the_end)

    loss.register_hook(begin)


class ShardedTrainer(Trainer):
    """What `transformers.Trainer` does about checkpoints, for a model that may be in pieces."""

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Write the model, whole."""
        pieces: Any = self.model
        if not is_sharded(pieces):
            super().save_model(output_dir, _internal_call)
            return
        together: Any = gathered(pieces, rounded=False)
        if together is not None:
            self.model = together
            try:
                super().save_model(output_dir, _internal_call)
            finally:
                self.model = pieces

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if not is_sharded(self.model):  # type: ignore[arg-type]
            super()._save_optimizer_and_scheduler(output_dir)
            return
        state = self.optimizer.state_dict()  # type: ignore[union-attr]
        state["state"] = {
            number: {name: _whole_on_cpu(value) for name, value in of_weight.items()}
            for number, of_weight in state["state"].items()
        }
        if self.args.should_save:
            torch.save(state, os.path.join(output_dir, OPTIMIZER_NAME))
            torch.save(self.lr_scheduler.state_dict(), os.path.join(output_dir, SCHEDULER_NAME))  # type: ignore[union-attr]

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None or not is_sharded(self.model):  # type: ignore[arg-type]
            super()._load_optimizer_and_scheduler(checkpoint)
            return
        folder = Path(checkpoint)
        # Mapped, not read: each process needs its rows alone.
        state = torch.load(folder / OPTIMIZER_NAME, map_location="cpu", mmap=True, weights_only=True)
        optimizer: Any = self.optimizer
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        state["state"] = {
            number: {name: _piece(value, weights[number]) for name, value in of_weight.items()}
            for number, of_weight in state["state"].items()
        }
        optimizer.load_state_dict(state)
        scheduler: Any = self.lr_scheduler
        scheduler.load_state_dict(torch.load(folder / SCHEDULER_NAME, weights_only=True))


def _whole_on_cpu(value: Any) -> Any:
    return whole(value).cpu() if isinstance(value, Tensor) else value


def _piece(value: Any, weight: Tensor) -> Any:
    """Of an optimizer's state what belongs to the rows of a weight that this process holds; counts of steps as are."""
    if not isinstance(value, Tensor) or value.shape != weight.shape:
        return value
    return as_piece(rows_of(value, weight).to(weight.device, copy=True), weight)


def load_whole(model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Give a model, in pieces or not, the values of whole weights.

    Args:
        model: which changes.
        weights: by name, those of every parameter of the model.
    """
    if not is_sharded(model):
        model.load_state_dict(weights)
        return
    with torch.no_grad():
        for name, weight in model.named_parameters():
            local(weight).copy_(rows_of(weights[name], weight))
