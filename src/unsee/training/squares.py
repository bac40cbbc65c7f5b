"""Squared gradients, summed: diagonal Fisher information up to a factor, in one pass over some batches.

Every gradient is squared into one accumulator per weight and freed as soon as backward has made it. Several processes
take turns with the batches, and add up what they have once per tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import torch
from torch import Tensor

from unsee.losses.likelihood import cross_entropy
from unsee.system import processes
from unsee.system.progress import progress
from unsee.training.summing import add_up, anywhere, exact_dtype
from unsee.vlm.batch import Batch
from unsee.vlm.policy import Policy
from unsee.vlm.sharded import as_one, is_piece, joined, local, share


class Batches(Protocol):
    """Batches that are made when they are asked for by their number, such as a list."""

    def __len__(self) -> int: ...
    def __getitem__(self, number: int, /) -> Batch: ...


def add_squared_gradients(
    policy: Policy, batches: Iterable[Batch], totals: Mapping[str, Tensor], scales: Mapping[str, float]
) -> set[str]:
    """Add scale * (gradient of the mean answer cross-entropy)^2 of each batch.

    Args:
        policy: gradients are taken for its parameters that require them, in evaluation mode (no dropout).
        batches: of one example each for the per-example Fisher information, of more for the faster and coarser
            one of squared batch means.
        totals: per parameter name what is added to, float32 or float64, in the parameter's shape.
        scales: per parameter name the factor of its squares; the squares of parameters without one are dropped.

    Returns:
        The names of the parameters that had a gradient, be it zero.
    """
    met: set[str] = set()

    def accumulate(name: str) -> Callable[[Tensor], None]:
        # Runs as soon as a weight's gradient is complete: at any time only the gradients of one layer or so are held
        # beside the accumulators, not those of the whole model.
        def hook(weight: Tensor) -> None:
            assert weight.grad is not None
            met.add(name)
            if name in scales:
                gradient = local(weight.grad).to(totals[name].dtype)  # once: what is promoted on the way is so twice
                totals[name].addcmul_(gradient, gradient, value=scales[name])
            weight.grad = None  # or the next batch would be added to this one before it is squared

        return hook

    model, was_training = policy.model, policy.model.training
    trainable = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    hooks = [weight.register_post_accumulate_grad_hook(accumulate(name)) for name, weight in trainable]
    model.eval()
    model.zero_grad()  # what is left from elsewhere is not to be squared
    try:
        for batch in batches:
            loss = cross_entropy(*policy.token_log_probs(batch)).mean()
            if loss.requires_grad:  # rows in words alone say nothing about vision and projector
                loss.backward()
    finally:
        for hook in hooks:
            hook.remove()
        model.train(was_training)
    return met


def zeros_for(weight: Tensor) -> Tensor:
    """An accumulator for the rows of a weight that this process holds."""
    return torch.zeros_like(local(weight), dtype=exact_dtype(weight.device))


def add_share(
    policy: Policy, batches: Batches, of_what: str, totals: Mapping[str, Tensor], scales: Mapping[str, float]
) -> set[str]:
    """`add_squared_gradients` of this process's share of batches; the names are those of all processes.

    In pieces, each process has the sums of its rows of every weight, and all take the same batches in step.
    """
    numbers = share(policy.model, range(len(batches)))
    watched = progress(numbers, f"saliency of {of_what}", total=len(numbers)) if numbers else ()
    with as_one(policy.model):
        met = add_squared_gradients(policy, (batches[number] for number in watched), totals, scales)
    return set().union(*processes.together({processes.rank(): met}).values())


def anywhere_of(mask: Tensor, weight: Tensor) -> Tensor:
    """A mask of all rows of a weight: whole from the pieces, or where it is True in any process."""
    return joined(mask, weight) if is_piece(weight) else anywhere(mask)


def of_all(total: Tensor, weight: Tensor) -> Tensor:
    """The sums of all processes for all rows of a weight; the argument may be changed."""
    if is_piece(weight):
        return joined(total, weight)
    add_up(total)
    return total
