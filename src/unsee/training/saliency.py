"""Which weights matter to what is forgotten more than to what is kept: MMUnlearner's mask.

Diagonal Fisher information at the starting weights, streamed: one pass over each set, every gradient squared into one
float64 accumulator (see `unsee.training.squares`). The mask is one bit per weight.

Huo et al. 2025, arXiv 2502.11051: mask = [F_forget / F_preserve >= gamma], computed once, per scalar weight. It is
evaluated as D >= 0 with D = F_forget / N_forget - gamma * F_preserve / N_preserve, which needs no division, leaves
weights that neither set reaches in, and is a single number per weight: forget squares are added to it and preserve
squares taken away. What such a sum cannot tell from a tie counts as one, and passes.

Of a tensor that neither set reaches at all nothing is known, and no forget gradient passes there. That settles fresh
low-rank adapters: while the second factor is zero no gradient reaches the first one, so the forget term acts through
the second factor, whose saliency is measured, on directions that the first one has fixed (only the retain term moves
them). What of the second factor is masked stays as it is under the forget term, and so does its share of the layer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from pydantic import NonNegativeInt
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from unsee.errors import InputError, UnworkableError
from unsee.methods.gate import Gate, unprotected
from unsee.system.atomic import whole_file
from unsee.system.strict import parse_json
from unsee.system.typed import typed
from unsee.training.squares import Batches, add_share, anywhere_of, of_all, zeros_for
from unsee.training.summing import of_the_main
from unsee.types import Part
from unsee.vlm.parts import part_of_parameters
from unsee.vlm.policy import Policy
from unsee.vlm.sharded import is_sharded, local, rows_of

TIE = 2.0**-12
"""Ratios that are this close to gamma count as equal to it: float32 gradients of thousands of batches are no closer."""


class Count(NamedTuple):
    """How many weights of a tensor pass, of how many that a forget gradient reaches."""

    passing: int
    reached: int


_Described = tuple[tuple[NonNegativeInt, ...], NonNegativeInt, NonNegativeInt]  # shape, passing, reached; in a file


def passes(difference: Tensor) -> Tensor:
    """The mask of one tensor from F_forget / N_forget - gamma * F_preserve / N_preserve; bool, of the same shape.

    True where the difference is not negative; all False where it is zero throughout, that is where neither set has
    reached anything.
    """
    # The second is one bool for the tensor. Where all is 0 the first holds everywhere, though nothing was measured.
    return (difference >= 0) & difference.any()


class SaliencyMask:
    """One bit per trainable weight, True where the forget gradient passes.

    Args:
        bits: per parameter name its packed bits, uint8, as `pack` makes them.
        shapes: per parameter name the shape of the parameter.
        counts: per parameter name how many weights pass of those that the forget set reaches; when not given, every
            weight counts as reached.
        key: names everything that the mask was made from; empty for one that was made by hand.
    """

    def __init__(
        self,
        bits: Mapping[str, Tensor],
        shapes: Mapping[str, torch.Size],
        counts: Mapping[str, Count] | None = None,
        key: str = "",
    ) -> None:
        self.bits, self.shapes, self.key = dict(bits), dict(shapes), key
        self.counts = dict(counts) if counts is not None else {
            name: Count(int(self.mask(name).sum()), self.shapes[name].numel()) for name in self.bits
        }  # fmt: skip

    @classmethod
    def build(
        cls, policy: Policy, forget: Batches, preserve: Batches, words: Batches = (), gate: Gate | None = None
    ) -> SaliencyMask:
        """Compute the mask of every parameter that requires a gradient; one pass over each set.

        Several processes take every so many batches each, and all end with the same bits, which are those of one.

        Args:
            policy: a vision-language model at its starting weights.
            forget: what is to be forgotten.
            preserve: what protects every part of the model; in the paper, retain examples with images.
            words: what protects the language model alone, beside `preserve`; in the paper, what is known in words.
            gate: thresholds.

        Raises:
            InputError: when the mask lets nothing through, a set is empty, or nothing that is preserved reaches a part
                that the forget set reaches.
        """
        gate, model = gate or Gate(), policy.model
        part_of = {n: part for n, part in part_of_parameters(model).items() if model.get_parameter(n).requires_grad}
        if not len(forget) or not len(preserve) + len(words):
            raise InputError("saliency: needs at least one forget and one preserve example")
        # One accumulator per weight, in its shape, is all that is held: D is built up in it in place. It takes as much
        # as the two moments of Adam, which come later.
        weights = {name: model.get_parameter(name) for name in part_of}
        totals = {name: zeros_for(weight) for name, weight in weights.items()}
        asked = add_share(policy, forget, "forget", totals, dict.fromkeys(totals, 1.0))
        # Read before anything is taken away; afterwards 0 could mean "not reached" as well as "a tie".
        reached = {name: pack(anywhere_of(total > 0, weights[name])) for name, total in totals.items()}
        for total in totals.values():
            total.mul_((1 + TIE) / len(forget))  # in favour of the forget set, so that a tie comes out above 0
        scales = {name: -_per_batch(gate, part, len(preserve), len(words)) for name, part in part_of.items()}
        held = {part_of[name] for name in add_share(policy, preserve, "images to preserve", totals, scales)}
        # A part that nothing preserved reaches would pass whole, unprotected without a word. The language model is no
        # such part: every row ends in words, so whatever is preserved reaches it.
        bare = {part_of[name] for name in asked} - held - {"language"}
        if bare := {part for part in bare if gate.threshold(part) > 0}:
            raise unprotected(sorted(bare))
        in_language = {name: scale for name, scale in scales.items() if part_of[name] == "language"}
        add_share(policy, words, "words to preserve", totals, in_language)
        mask = cls._of_differences(totals, reached, weights)
        if not any(count.passing for count in mask.counts.values()):
            raise UnworkableError(
                f"saliency: {_named(gate)} masks out every weight that the forget set reaches; choose a smaller gamma"
            )
        return mask

    @classmethod
    def _of_differences(
        cls, totals: dict[str, Tensor], reached: Mapping[str, Tensor], weights: Mapping[str, Tensor]
    ) -> SaliencyMask:
        """Turn the accumulators into bits, one by one; each is let go at once."""
        bits, counts, shapes = {}, {}, {name: weight.shape for name, weight in weights.items()}
        for name in list(totals):
            bits[name] = of_the_main(pack(passes(of_all(totals.pop(name), weights[name]))))
            through = unpack(bits[name] & reached[name], shapes[name])
            counts[name] = Count(int(through.sum()), int(unpack(reached[name], shapes[name]).sum()))
        return cls(bits, shapes, counts)

    @classmethod
    def from_masks(cls, masks: Mapping[str, Tensor]) -> SaliencyMask:
        """From bool tensors by parameter name."""
        return cls({name: pack(mask) for name, mask in masks.items()}, {name: m.shape for name, m in masks.items()})

    def mask(self, name: str) -> Tensor:
        """The bool mask of one parameter, in the parameter's shape."""
        return unpack(self.bits[name], self.shapes[name])

    def density(self, names: Iterable[str] | None = None) -> float:
        """Share of weights that pass, of those that the forget set reaches; over the named parameters, or all."""
        counts = [self.counts[name] for name in self._chosen(names)]
        reached = sum(count.reached for count in counts)
        return sum(count.passing for count in counts) / reached if reached else float("nan")

    def reach(self, names: Iterable[str] | None = None) -> float:
        """Share of weights that the forget set reaches, over the named parameters, or all."""
        chosen = self._chosen(names)
        total = sum(self.shapes[name].numel() for name in chosen)
        return sum(self.counts[name].reached for name in chosen) / total if total else float("nan")

    def _chosen(self, names: Iterable[str] | None) -> list[str]:
        return list(self.bits) if names is None else [name for name in names if name in self.bits]

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
            raise UnworkableError(
                "saliency: the mask lets no weight through, so nothing would be forgotten; build it anew"
            )

    @contextmanager
    def gate(self, model: nn.Module) -> Iterator[None]:
        """Within: backward passes reach only the weights in the mask.

        The gate sits on the gradient of one backward pass, before it is added to what other terms have left, so it
        holds under accumulation and leaves the other terms alone.
        """
        if is_sharded(model):
            with self._gate_pieces(model):
                yield
            return
        # `register_hook` sees this backward's gradient; one after accumulation would mask other terms', too.
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

    @contextmanager
    def _gate_pieces(self, model: nn.Module) -> Iterator[None]:
        """The same for a model in pieces, whose gradients come without a hook: what is there already steps aside."""
        moving = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
        before = [weight.grad for _, weight in moving]
        for _, weight in moving:
            weight.grad = None
        yield
        for (name, weight), earlier in zip(moving, before, strict=True):
            if weight.grad is None:
                weight.grad = earlier
                continue
            gradient = local(weight.grad)
            gradient.masked_fill_(~rows_of(self._whole(name, gradient.device), weight), 0)
            if earlier is not None:
                gradient.add_(local(earlier))

    def _through(self, name: str, gradient: Tensor) -> Tensor:
        """What of a gradient passes. Masks are unpacked one at a time: all at once they take one byte per weight."""
        return gradient.masked_fill(~self._whole(name, gradient.device), 0)

    def _whole(self, name: str, device: torch.device) -> Tensor:
        bits = self.bits[name] = self.bits[name].to(device)
        return unpack(bits, self.shapes[name])

    def save(self, path: Path) -> None:
        """Write one safetensors file: the bits of each parameter, and the rest as JSON among the metadata."""
        about = {name: [list(shape), *self.counts[name]] for name, shape in self.shapes.items()}
        bits = {name: bits.cpu() for name, bits in self.bits.items()}
        with whole_file(path) as temporary:
            save_file(bits, temporary, metadata={"key": self.key, "shape, passing, reached": json.dumps(about)})

    @classmethod
    def load(cls, path: Path) -> SaliencyMask:
        """Read what `save` wrote.

        Raises:
            InputError: when the file holds anything else.
        """
        try:
            with safe_open(path, framework="pt") as stored:
                metadata = stored.metadata() or {}
                header = parse_json(metadata["shape, passing, reached"], "header")
                about = typed(header, dict[str, _Described], "header")
                bits = {name: stored.get_tensor(name) for name in about}
                key = metadata["key"]
        except (SafetensorError, KeyError, InputError) as error:
            raise InputError(f"{path}: holds no saliency mask ({error}); remove it, and it is built anew") from error
        shapes = {name: torch.Size(shape) for name, (shape, _, _) in about.items()}
        for name, shape in shapes.items():
            if bits[name].dtype != torch.uint8 or bits[name].shape != (math.ceil(shape.numel() / 8),):
                raise InputError(f"{path}: {name} is no mask of the shape that its header gives; remove the file")
        return cls(bits, shapes, {name: Count(*counts) for name, (_, *counts) in about.items()}, key)


def _per_batch(gate: Gate, part: Part, preserve: int, words: int) -> float:
    """What a preserve batch takes away from the accumulators of a part: gamma / N."""
    return gate.threshold(part) / max(1, preserve + words if part == "language" else preserve)


def _named(gate: Gate) -> str:
    given = gate.model_dump(exclude_none=True, exclude={"kind"})
    return ", ".join(f"{name}={value}" for name, value in given.items())


def pack(mask: Tensor) -> Tensor:
    """Eight mask entries per byte, first entry in the highest bit; the last byte is filled with zeros."""
    flat = mask.flatten().to(torch.uint8)
    flat = torch.nn.functional.pad(flat, (0, -len(flat) % 8)).view(-1, 8)  # (bytes, 8)
    return (flat << _SHIFTS.to(flat.device)).sum(-1, dtype=torch.uint8)


def unpack(bits: Tensor, shape: torch.Size) -> Tensor:
    """The bool mask of a shape from its packed bits."""
    flat = (bits.unsqueeze(-1) >> _SHIFTS.to(bits.device)) & 1  # (bytes, 8)
    return flat.flatten()[: shape.numel()].view(shape).bool()


_SHIFTS = torch.arange(7, -1, -1, dtype=torch.uint8)
