"""The gradients of several processes as those of one: averaged once per optimizer step, by ourselves.

`DistributedDataParallel` averages within each backward pass and waits there for every process. Rows in words alone have
no backward pass into vision tower or projector, so one process would wait for a pass that another never makes. Here
every process comes to one place per step, whatever its rows were made of.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from unsee.system import processes


def same_start(weights: Sequence[nn.Parameter]) -> None:
    """Give every process the weights of the main one. Those in pieces were whole, and alike, before."""
    if processes.count() > 1:
        for weight in weights:
            if isinstance(weight, DTensor):
                continue
            dist.broadcast(weight.data, src=0)


def average_gradients(weights: Sequence[nn.Parameter], failed: bool) -> bool:
    """Replace each gradient by its mean over the processes.

    A process without a gradient counts as one whose gradient is zero. A weight without one anywhere stays without, so
    that the optimizer leaves it alone as it would in one process.

    Args:
        weights: in the same order in every process.
        failed: whether this process has found that it cannot go on.

    Returns:
        Whether any process has; gradients are then as they were.
    """
    if processes.count() == 1:
        return failed
    present = [weight.grad is not None for weight in weights]
    somewhere = torch.tensor([*present, failed], dtype=torch.uint8, device=weights[0].device)
    dist.all_reduce(somewhere, op=dist.ReduceOp.MAX)
    *reached, any_failed = map(bool, somewhere.tolist())
    if any_failed:
        return True
    pending = [
        dist.all_reduce(_share_of(weight), async_op=True)
        for weight, has_gradient in zip(weights, reached, strict=True)
        if has_gradient
    ]
    for work in pending:
        assert work is not None
        work.wait()
    return False


def _share_of(weight: nn.Parameter) -> Tensor:
    """What one process adds to the mean; the gradient itself, in place."""
    if weight.grad is None:
        weight.grad = torch.zeros_like(weight)
    return weight.grad.div_(processes.count())
