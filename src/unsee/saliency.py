"""Which weights matter to what is forgotten more than to what is kept: MMUnlearner's mask.

Diagonal Fisher information at the starting weights, streamed: one pass over each set, every gradient squared into a
float32 accumulator and freed as soon as backward has made it. The mask is one bit a weight.

Huo et al. 2025, arXiv 2502.11051: mask = [F_forget / F_preserve >= gamma], computed once, per scalar weight. It is
evaluated as F_forget >= gamma * F_preserve, which needs no division and leaves weights that neither set reaches in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from unsee.errors import InputError
from unsee.losses import cross_entropy
from unsee.vlm.encoding import Batch
from unsee.vlm.policy import Policy


def fisher(model: nn.Module, batches: Iterable[Batch]) -> tuple[dict[str, Tensor], int]:
    """Sum over batches of the squared gradient of the mean answer cross-entropy.

    Args:
        model: gradients are taken for its parameters that require them, in evaluation mode (no dropout).
        batches: of one example each for the per-example Fisher information, of more for the faster and coarser
            one of squared batch means.

    Returns:
        Per parameter name the float32 sum of squared gradients, of the parameter's shape, and the number of batches.
        A parameter that no gradient reaches has zeros.
    """
    trainable = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    sums = {name: torch.zeros_like(weight, dtype=torch.float32) for name, weight in trainable}

    def accumulate(total: Tensor) -> Callable[[Tensor], None]:
        def hook(weight: Tensor) -> None:
            assert weight.grad is not None
            total.addcmul_(weight.grad.float(), weight.grad.float())
            weight.grad = None

        return hook

    policy, count, was_training = Policy(model), 0, model.training
    hooks = [weight.register_post_accumulate_grad_hook(accumulate(sums[name])) for name, weight in trainable]
    model.eval()
    model.zero_grad()  # what is left from elsewhere is not to be squared
    try:
        for batch in batches:
            cross_entropy(*policy.token_log_probs(batch)).mean().backward()
            count += 1
    finally:
        for hook in hooks:
            hook.remove()
        model.train(was_training)
    return sums, count


def saliency_mask(forget: Tensor, preserve: Tensor, gamma: float, batches: tuple[int, int] = (1, 1)) -> Tensor:
    """The mask of one tensor: F_forget >= gamma * F_preserve.

    Args:
        forget: sum of squared forget gradients; any shape.
        preserve: sum of squared preserve gradients; same shape.
        gamma: threshold of the ratio.
        batches: numbers of forget and preserve batches, by which the sums are to be divided. They are multiplied
            across instead, so that exact ties stay exact.

    Returns:
        Bool, same shape: True where the forget gradient may pass.
    """
    forget_batches, preserve_batches = batches
    return forget * preserve_batches >= gamma * (preserve * forget_batches)


class SaliencyMask:
    """One bit per trainable weight, True where the forget gradient passes.

    Args:
        bits: per parameter name its packed bits, uint8, as `pack` makes them.
        shapes: per parameter name the shape of the parameter.
    """

    def __init__(self, bits: Mapping[str, Tensor], shapes: Mapping[str, torch.Size]) -> None:
        self.bits, self.shapes = dict(bits), dict(shapes)

    @classmethod
    def build(
        cls, model: nn.Module, forget: Iterable[Batch], preserve: Iterable[Batch], gamma: float = 1.0
    ) -> SaliencyMask:
        """Compute the mask of every parameter that requires a gradient; one pass over each set.

        Raises:
            InputError: when the mask lets nothing through, or a set is empty.
        """
        forget_sums, forget_batches = fisher(model, forget)
        preserve_sums, preserve_batches = fisher(model, preserve)
        if not forget_batches or not preserve_batches:
            raise InputError("saliency: needs at least one forget and one preserve example")
        counts = (forget_batches, preserve_batches)
        masks = {name: saliency_mask(forget_sums[name], preserve_sums[name], gamma, counts) for name in forget_sums}
        # Weights that neither set reaches are in the mask, but nothing is forgotten through them.
        if not any(bool((mask & (forget_sums[name] > 0)).any()) for name, mask in masks.items()):
            raise InputError(
                f"saliency: gamma={gamma} masks out every weight that the forget set reaches; choose a smaller gamma"
            )
        return cls.from_masks(masks)

    @classmethod
    def from_masks(cls, masks: Mapping[str, Tensor]) -> SaliencyMask:
        """From bool tensors by parameter name."""
        return cls({name: pack(mask) for name, mask in masks.items()}, {name: m.shape for name, m in masks.items()})

    def mask(self, name: str) -> Tensor:
        """The bool mask of one parameter, in the parameter's shape."""
        return unpack(self.bits[name], self.shapes[name])

    def density(self, names: Iterable[str] | None = None) -> float:
        """Share of weights that the forget gradient reaches, over the named parameters (all when not given)."""
        chosen = list(self.bits) if names is None else [name for name in names if name in self.bits]
        total = sum(self.shapes[name].numel() for name in chosen)
        return sum(int(self.mask(name).sum()) for name in chosen) / total if total else float("nan")

    def check_fits(self, model: nn.Module) -> None:
        """InputError unless the mask covers exactly the trainable weights of the model, and lets something through."""
        weights = {name: weight.shape for name, weight in model.named_parameters() if weight.requires_grad}
        if not weights.keys() & self.bits.keys():
            first = next(iter(self.bits), "nothing")
            raise InputError(f"saliency: the mask ({first}, ...) matches no trainable weight of {type(model).__name__}")
        missing, surplus = sorted(weights.keys() - self.bits.keys()), sorted(self.bits.keys() - weights.keys())
        wrong = missing or surplus or [name for name, shape in weights.items() if self.shapes[name] != shape]
        if wrong:
            raise InputError(f"saliency: mask and model differ at {wrong[0]} ({len(wrong)} tensors); build it anew")
        if not any(bool(bits.any()) for bits in self.bits.values()):
            raise InputError("saliency: the mask lets no weight through, so nothing would be forgotten; build it anew")

    @contextmanager
    def gate(self, model: nn.Module) -> Iterator[None]:
        """Within: backward passes reach only the weights in the mask.

        The gate sits on the gradient of one backward pass, before it is added to what other terms have left, so it
        holds under accumulation and leaves the other terms alone.
        """
        hooks = [
            weight.register_hook(partial(self._through, name.removeprefix("module.")))
            for name, weight in model.named_parameters()
            if weight.requires_grad
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _through(self, name: str, gradient: Tensor) -> Tensor:
        """What of a gradient passes. Masks are unpacked one at a time: all at once they are a byte a weight."""
        bits = self.bits[name] = self.bits[name].to(gradient.device)
        return gradient.masked_fill(~unpack(bits, self.shapes[name]), 0)

    def save(self, path: Path) -> None:
        """Write bits and shapes to one safetensors file."""
        shapes = {f"shape:{name}": torch.tensor(list(shape), dtype=torch.int64) for name, shape in self.shapes.items()}
        bits = {f"bits:{name}": bits.cpu() for name, bits in self.bits.items()}
        partial = path.with_name(path.name + ".partial")
        save_file({**bits, **shapes}, partial)
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> SaliencyMask:
        """Read what `save` wrote."""
        tensors = load_file(path)
        bits = {name[5:]: value for name, value in tensors.items() if name.startswith("bits:")}
        return cls(bits, {name: torch.Size(tensors[f"shape:{name}"].tolist()) for name in bits})


def pack(mask: Tensor) -> Tensor:
    """Eight mask entries a byte, first entry in the highest bit; the last byte is filled with zeros."""
    flat = mask.flatten().to(torch.uint8)
    flat = torch.nn.functional.pad(flat, (0, -len(flat) % 8)).view(-1, 8)
    return (flat << _SHIFTS.to(flat.device)).sum(-1, dtype=torch.uint8)


def unpack(bits: Tensor, shape: torch.Size) -> Tensor:
    """The bool mask of a shape from its packed bits."""
    flat = (bits.unsqueeze(-1) >> _SHIFTS.to(bits.device)) & 1
    return flat.flatten()[: shape.numel()].view(shape).bool()


_SHIFTS = torch.arange(7, -1, -1, dtype=torch.uint8)
