"""What is made at the starting weights, before the first step or a resume: reference, mask, what a method prepares.

Each is kept in a file where there is one for it, under a key of everything that it is made from. A file of another run
is passed over, and made anew.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from unsee.data import digest
from unsee.data.example import Example
from unsee.data.pairing import Pairing
from unsee.errors import InputError
from unsee.methods import Method, Reference
from unsee.methods.gate import Gate
from unsee.methods.method import Prepares
from unsee.system import processes
from unsee.training.config import UnlearnConfig
from unsee.training.saliency import SaliencyMask
from unsee.vlm.batch import Batch
from unsee.vlm.encoding import Encoder
from unsee.vlm.policy import Policy
from unsee.vlm.reference import (
    AdapterOffReference,
    CachedReference,
    CopyReference,
    NoReference,
    setup_digest,
    starts_at_base,
    weights_digest,
)
from unsee.vlm.stored import read_tensors, write_tensors


@dataclass(frozen=True)
class StartingPoint:
    """A model before its first step.

    Attributes:
        policy: the model.
        encoder: of its inputs.
        config: batch sizes, seed, and where things are kept.
        precision: what forward passes compute in; None for that of the weights.
    """

    policy: Policy
    encoder: Encoder
    config: UnlearnConfig
    precision: torch.dtype | None

    def reference(
        self, method: Method, forget: Sequence[Example], refusals: Sequence[Example], pairing: Pairing
    ) -> Reference:
        """The frozen model, as far as the method looks at it.

        Args:
            method: which says what it needs.
            forget: what is to be forgotten.
            refusals: to the same questions; none for a method that needs none. They are numbered behind `forget`.
            pairing: which rows meet in a batch.
        """
        need = method.needs.reference
        if need == "nothing":
            return NoReference()
        if starts_at_base(self.policy.model):  # exact and free: with a second factor of 0 an adapter adds nothing yet
            return AdapterOffReference(self.policy)
        if need == "distribution":  # (vocabulary) numbers per answer token are too many to keep for every row
            return CopyReference(self.policy)
        path = Path(self.config.reference_file) if self.config.reference_file else None
        examples = [*forget, *refusals]  # one number each is kept: (examples,), nats
        batches = self._first_batches(len(forget), bool(refusals), pairing)
        key = hashlib.sha256(json.dumps([*self._key(), digest(examples), batches]).encode()).hexdigest()
        return CachedReference.compute(self.policy, self.encoder, examples, batches, path, key)

    def _first_batches(self, count: int, refusals: bool, pairing: Pairing) -> list[list[int]]:
        """The batches in which forget examples, and their refusals, meet when each has its first turn; by place."""
        # Padding moves a log-probability in half precision, so the reference pads as the training will: at the first
        # step policy and reference then differ by nothing.
        size = self.config.train_batch_size
        forget = [[pairing[start + row].get("forget", 0) for row in range(size)] for start in range(0, count, size)]
        return forget + [[count + place for place in places] for places in forget if refusals]

    def _key(self) -> list[str]:
        """What log-probabilities and gradients at the starting weights depend on, beside data."""
        return [weights_digest(self.policy.model), setup_digest(self.policy.model, self.encoder), str(self.precision)]

    def prepared(self, method: Method) -> dict[str, Tensor]:
        """What the method makes before the first step, read from its file when that is of the same run."""
        if not isinstance(method, Prepares):
            return {}
        path = Path(self.config.prepared_file) if self.config.prepared_file else None
        batch_size = self.config.train_batch_size
        key = json.dumps([repr(method), self.config.seed, batch_size, *self._key()])
        prepared = read_tensors(path, key)
        if prepared is None:
            prepared = method.prepare(self.policy, self.config.seed, batch_size)
            write_tensors(path, prepared, key)
        return {name: value.to(self.config.device) for name, value in prepared.items()}

    def mask(self, gate: Gate, forget: Sequence[Example], kept: Sequence[Example]) -> SaliencyMask:
        """The mask of a run, read from its file when that is of the same run or was made by hand.

        Args:
            gate: its thresholds.
            forget: what is to be forgotten.
            kept: what it protects.

        Raises:
            InputError: weight decay would move weights that it protects, it lets nothing through, or its file holds
                none that fits.
        """
        if self.config.weight_decay:
            raise InputError(
                f"weight_decay={self.config.weight_decay:g} would move the weights that the saliency mask protects; "
                "set it to 0"
            )
        path = Path(self.config.saliency_file) if self.config.saliency_file else None
        key = self._mask_key(gate, forget, kept)
        mask = SaliencyMask.load(path) if path is not None and processes.agreed(path.is_file()) else None
        if mask is None or mask.key not in (key, ""):
            mask = self._build_mask(gate, forget, kept)
            mask.key = key
            if path is not None:
                processes.once(partial(mask.save, path))
        mask.check_fits(self.policy.model)
        return mask

    def _build_mask(self, gate: Gate, forget: Sequence[Example], kept: Sequence[Example]) -> SaliencyMask:
        # As published: examples with images protect every part, what is known in words the language model alone.
        images = [example for example in kept if example.image is not None]
        words = [example for example in kept if example.image is None]
        to_forget, to_see, to_read = (
            _Batches(self.encoder, examples, self.config.saliency_batch_size, self.config.device)
            for examples in (forget, images, words)
        )
        return SaliencyMask.build(self.policy, to_forget, to_see, to_read, gate)

    def _mask_key(self, gate: Gate, forget: Sequence[Example], kept: Sequence[Example]) -> str:
        """Everything that a mask is made from."""
        trainable = [name for name, weight in self.policy.model.named_parameters() if weight.requires_grad]
        made_from = [
            *self._key(),
            trainable,
            digest(forget),
            digest(kept),
            self.config.saliency_batch_size,
            gate.model_dump(),
        ]
        return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()


class _Batches:
    """Batches of some rows in order, each made when it is asked for."""

    def __init__(self, encoder: Encoder, examples: Sequence[Example], size: int, device: torch.device) -> None:
        self.encoder, self.examples, self.size, self.device = encoder, examples, size, device

    def __len__(self) -> int:
        return math.ceil(len(self.examples) / self.size)

    def __getitem__(self, number: int) -> Batch:
        start = number * self.size
        return self.encoder.batch(self.examples[start : start + self.size]).to(self.device)
