"""What training has done to the weights of a model, and edits of the outcome."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from unsee.errors import InputError
from unsee.vlm.adapters import low_rank_pairs


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
            self.start = {name: weight.detach().to("cpu", copy=True) for name, weight in self.weights()}

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
                start = self.start[name].to(weight.device).float()
                weight.copy_(start + factor * (weight.float() - start))

    @torch.no_grad()
    def add_noise(self, norm: float, seed: int) -> None:
        """Move the weights by normal noise of a given length.

        Args:
            norm: l2 norm of the move over all weights that may move, together.
            seed: the same noise comes from the same seed, on any device.
        """
        length = sum(float(noise.double().square().sum()) for _, noise in self._noise(seed)) ** 0.5
        for weight, noise in self._noise(seed):  # drawn a second time: it is as large as the model
            weight.copy_(weight.float() + (norm / length) * noise.to(weight.device))

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
