"""What several processes have accumulated, as if one had: each adds its own rows, and they meet once per tensor.

Every process comes here with the same tensors in the same order, whatever its rows were made of: where none of them
reached a weight, it has zeros.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor

from unsee.system import processes


def exact_dtype(device: torch.device) -> torch.dtype:
    """What sums are kept in, so that their order, and with it the number of processes, does not show in what is read
    off them: float64, in which the square of a float32 is exact. Apple's accelerators have float32 alone.
    """
    return torch.float32 if device.type == "mps" else torch.float64


def add_up(total: Tensor) -> None:
    """Replace what this process has by the sum over all of them, in place."""
    if processes.count() > 1:
        dist.all_reduce(total)


def anywhere(mask: Tensor) -> Tensor:
    """Where a bool mask is True in any process."""
    if processes.count() == 1:
        return mask
    flags = mask.to(torch.uint8)
    dist.all_reduce(flags, op=dist.ReduceOp.MAX)
    return flags.bool()


def of_the_main(value: Tensor) -> Tensor:
    """The main process's tensor, for all."""
    if processes.count() > 1:
        dist.broadcast(value, src=0)
    return value
