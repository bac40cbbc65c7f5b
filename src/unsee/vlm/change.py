"""What training has done to the weights of a model, and edits of the outcome."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor, nn

from unsee.errors import InputError
from unsee.vlm.adapters import low_rank_pairs, low_rank_updates
from unsee.vlm.sharded import local, rows_of, whole

SIDE = 64  # rows and columns of a weight that are looked at to see whether it moved


class WeightChange:
    """The weights that may move, beside their values before training.

    Args:
        model: at its starting weights.
        keep_start: keep a copy of them in memory, off the accelerator; `scale` needs it.

    Raises:
        InputError: when the start is to be kept and the change of an adapter cannot be scaled.
    """

    def __init__(self, model: nn.Module, keep_start: bool) -> None:
        self.model = model
        self.start: dict[str, Tensor] = {}
        self._held: set[int] = set()
        if keep_start:
            self._held = {id(factor) for factor in _factors_that_stay(model)}
            self.start = {name: local(weight.detach()).to("cpu", copy=True) for name, weight in self.weights()}

    def weights(self) -> list[tuple[str, nn.Parameter]]:
        """The weights that may move, by name."""
        return [(name, weight) for name, weight in self.model.named_parameters() if weight.requires_grad]

    @torch.no_grad()
    def scale(self, factor: float) -> None:
        """Multiply what training has changed: theta = start + factor * (theta - start); -1 negates it.

        An adapter whose product starts at zero changes its layer by the product of its factors, so the factor that
        starts at zero is scaled and the other one stays as trained.
        """
        for name, weight in self.weights():
            if id(weight) not in self._held:
                rows, start = local(weight), self.start[name].to(weight.device).float()
                rows.copy_(start + factor * (rows.float() - start))

    @torch.no_grad()
    def add_noise(self, norm: float, seed: int) -> None:
        """Move the weights by normal noise of a given length.

        Args:
            norm: l2 norm of the move over all weights that may move, together.
            seed: the same noise comes from the same seed, on any device.
        """
        length = sum(float(noise.double().square().sum()) for _, noise in self._noise(seed)) ** 0.5
        for weight, noise in self._noise(seed):  # drawn a second time: it is as large as the model
            rows = local(weight)
            rows.copy_(rows.float() + (norm / length) * rows_of(noise, weight).to(weight.device))

    def _noise(self, seed: int) -> Iterator[tuple[nn.Parameter, Tensor]]:
        generator = torch.Generator().manual_seed(seed)
        for _, weight in self.weights():
            yield weight, torch.randn(weight.shape, generator=generator)


def _factors_that_stay(model: nn.Module) -> list[nn.Parameter]:
    """Of every adapter the factor that does not start at zero."""
    pairs = low_rank_pairs(model)
    if pairs is None or any(bool(first.any()) and bool(second.any()) for first, second in pairs):
        raise InputError(
            "the change of this adapter cannot be scaled: it is no plain LoRA, or it has been trained before; "
            "merge it into its model first, or train the weights themselves"
        )
    return [first if bool(first.any()) else second for first, second in pairs]


@dataclass(frozen=True)
class Start:
    """Some of the weights that may move, as they were; enough to tell whether anything has moved.

    A plain LoRA counts as what it adds to its layer, the product of its factors.
    """

    sampled: dict[str, Tensor]

    @classmethod
    @torch.no_grad()
    def of(cls, model: nn.Module) -> Start:
        """A sample of a model as it is: some thousand entries of each weight, evenly spread."""
        return cls(dict(_sampled(model)))

    @torch.no_grad()
    def moved(self, model: nn.Module) -> dict[str, float]:
        """How far the model has gone since.

        Returns:
            `share`: of the sampled entries that differ, in [0, 1]. `length`: root mean square of their change over that
            of the weights of the model.
        """
        differ, change = 0, 0.0
        for name, now in _sampled(model):
            start = self.sampled[name]
            differ += int((now != start).sum())
            change += float((now.double() - start.double()).square().sum())
        entries = max(1, sum(start.numel() for start in self.sampled.values()))
        weights = _mean_square(model)
        return {"share": differ / entries, "length": (change / entries / weights) ** 0.5 if weights else math.inf}


def _sampled(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Entries of every weight that may move, and of what every adapter that may move adds to its layer."""
    updates = [
        update for update in low_rank_updates(model) or [] if update.first.requires_grad or update.second.requires_grad
    ]
    for number, update in enumerate(updates):
        first, second = update.first.detach().flatten(1), update.second.detach().flatten(1)
        some = second[:: -(-len(second) // SIDE)].float() @ first[:, :: -(-first.shape[1] // SIDE)].float()
        yield f"adapter {number}", (update.scaling * some).flatten().cpu()
    factors = {id(factor) for update in updates for factor in (update.first, update.second)}
    for name, weight in model.named_parameters():
        if weight.requires_grad and id(weight) not in factors:
            yield name, _some(weight)


def _mean_square(model: nn.Module) -> float:
    """Of the matrices of a model, adapters aside."""
    factors = {id(factor) for pair in low_rank_pairs(model) or [] for factor in pair}
    matrices = (weight for weight in model.parameters() if weight.is_floating_point() and weight.ndim > 1)
    means = [float(_some(weight).double().square().mean()) for weight in matrices if id(weight) not in factors]
    return fmean(means) if means else 0.0


def _some(weight: Tensor) -> Tensor:
    return whole(weight.detach()).flatten()[:: -(-weight.numel() // SIDE**2)].to("cpu", copy=True)
