"""The frozen starting model as a strategy: adapter off, remembered log-probabilities, or a copy."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unsee.data.example import Example
from unsee.system import processes
from unsee.system.progress import progress
from unsee.vlm.adapters import low_rank_pairs
from unsee.vlm.batch import Batch
from unsee.vlm.encoding import Encoder
from unsee.vlm.policy import AnswerLogits, HiddenStates, Policy, innermost
from unsee.vlm.sharded import as_one, is_sharded, sharded_copy, share, whole
from unsee.vlm.stored import read_tensors, write_tensors


class NoReference:
    """For methods that never look back."""

    def answer_log_probs(self, batch: Batch) -> Tensor:
        """Not to be asked."""
        raise RuntimeError("the method did not declare that it needs a reference")

    def answer_logits(self, batch: Batch) -> AnswerLogits:
        """Not to be asked."""
        raise RuntimeError("the method did not declare that it needs a reference")

    def all_logits(self, batch: Batch) -> Tensor:
        """Not to be asked."""
        raise RuntimeError("the method did not declare that it needs a reference")

    def hidden_states(self, batch: Batch, depth: float) -> HiddenStates:
        """Not to be asked."""
        raise RuntimeError("the method did not declare that it needs a reference")


class FrozenReference:
    """A frozen model, asked anew each time. Subclasses say which."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    @torch.no_grad()
    def answer_log_probs(self, batch: Batch) -> Tensor:
        """Log-likelihood of each whole answer; shape (batch,), nats."""
        return self.policy.answer_log_probs(batch)

    @torch.no_grad()
    def answer_logits(self, batch: Batch) -> AnswerLogits:
        """Distributions at the answer tokens."""
        return self.policy.answer_logits(batch)

    @torch.no_grad()
    def all_logits(self, batch: Batch) -> Tensor:
        """Logits at every position; shape (batch, time, vocabulary)."""
        return self.policy.all_logits(batch)

    @torch.no_grad()
    def hidden_states(self, batch: Batch, depth: float) -> HiddenStates:
        """What the decoder holds at a depth."""
        return self.policy.hidden_states(batch, depth)


class CopyReference(FrozenReference):
    """A second set of weights: only when full fine-tuning meets a loss on whole distributions."""

    def __init__(self, policy: Policy) -> None:
        pieces = is_sharded(policy.model)
        frozen = (sharded_copy(policy.model) if pieces else copy.deepcopy(policy.model)).eval()
        super().__init__(Policy(frozen.requires_grad_(False), policy.autocast))


class AdapterOffReference(FrozenReference):
    """The policy itself with its adapter switched off: bit for bit the base, at no cost in memory."""

    def answer_log_probs(self, batch: Batch) -> Tensor:
        """Log-likelihood of each whole answer; shape (batch,), nats."""
        with self._base():
            return super().answer_log_probs(batch)

    def answer_logits(self, batch: Batch) -> AnswerLogits:
        """Distributions at the answer tokens."""
        with self._base():
            return super().answer_logits(batch)

    def all_logits(self, batch: Batch) -> Tensor:
        """Logits at every position; shape (batch, time, vocabulary)."""
        with self._base():
            return super().all_logits(batch)

    def hidden_states(self, batch: Batch, depth: float) -> HiddenStates:
        """What the decoder holds at a depth."""
        with self._base():
            return super().hidden_states(batch, depth)

    def _base(self) -> Any:
        return _AdapterOff(self.policy.model)


class _AdapterOff:
    """Adapter and dropout off within; both as before after."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __enter__(self) -> None:
        self.was_training = self.model.training
        self.moving = [(weight, weight.requires_grad) for weight in self.model.parameters()]
        self.model.eval()
        self.adapter_off = self.model.disable_adapter()
        self.adapter_off.__enter__()

    def __exit__(self, *error: Any) -> None:
        self.adapter_off.__exit__(*error)
        for weight, moves in self.moving:  # peft lets every weight of the adapter move again, frozen ones too
            weight.requires_grad_(moves)
        self.model.train(self.was_training)


class CachedReference:
    """One number per example, computed once at the starting weights and kept with the run.

    Args:
        log_probs: of the whole answers, by place in the set; shape (examples,), nats.
    """

    def __init__(self, log_probs: Tensor) -> None:
        self.log_probs = log_probs

    @classmethod
    def compute(
        cls,
        policy: Policy,
        encoder: Encoder,
        examples: Sequence[Example],
        batches: Sequence[Sequence[int]],
        path: Path | None,
        key: str,
    ) -> CachedReference:
        """Read the log-probabilities from `path` when it was written under the same key, else compute and write them.

        Several processes take every so many batches each.

        Args:
            policy: at its starting weights.
            encoder: of the model.
            examples: the whole forget set, in order.
            batches: which examples share a forward pass, by place, each in at least one. In half precision a row's
                log-probability depends on how far its batch is padded, so these are best the batches of the training.
            path: a safetensors file, or None to keep them in memory alone.
            key: names everything that determines them; a file with another key is overwritten.
        """
        if (stored := processes.agreed(read_tensors(path, key))) is not None:
            return cls(stored["log_probs"])
        log_probs = _scores(policy, encoder, examples, batches)
        write_tensors(path, {"log_probs": log_probs}, key)
        return cls(log_probs)

    def answer_log_probs(self, batch: Batch) -> Tensor:
        """Log-likelihood of each whole answer; shape (batch,), nats."""
        return self.log_probs.to(batch.indices.device)[batch.indices]

    def answer_logits(self, batch: Batch) -> AnswerLogits:
        """Not kept."""
        raise RuntimeError("the method declared that it needs log-probabilities alone, not distributions")

    def all_logits(self, batch: Batch) -> Tensor:
        """Not kept."""
        raise RuntimeError("the method declared that it needs log-probabilities alone, not distributions")

    def hidden_states(self, batch: Batch, depth: float) -> HiddenStates:
        """Not kept."""
        raise RuntimeError("the method declared that it needs log-probabilities alone, not hidden states")


@torch.no_grad()
def _scores(policy: Policy, encoder: Encoder, examples: Sequence[Example], batches: Sequence[Sequence[int]]) -> Tensor:
    model, was_training = policy.model, policy.model.training
    device = next(model.parameters()).device
    model.eval()
    numbers, by_batch = share(model, range(len(batches))), {}
    with as_one(model):
        for number in progress(numbers, "reference log-probabilities", total=len(numbers)):
            batch = encoder.batch([examples[place] for place in batches[number]]).to(device)
            by_batch[number] = policy.answer_log_probs(batch).tolist()
    model.train(was_training)
    scores: dict[int, float] = {}
    for number, log_probs in sorted(processes.together(by_batch).items()):
        for place, score in zip(batches[number], log_probs, strict=True):
            scores.setdefault(place, score)  # the batch in which a row stands first is the one that is trained first
    return torch.tensor([scores[place] for place in range(len(examples))])


def starts_at_base(model: nn.Module) -> bool:
    """Whether switching the adapter off gives the starting model, now and when training has moved what may move.

    That is so for a PEFT model whose adapters are plain LoRA and still do nothing, when nothing but them may move.
    For every other kind the answer is no, and the reference is remembered or copied.
    """
    pairs = low_rank_pairs(model)
    if not pairs or any(bool(first.any()) and bool(second.any()) for first, second in pairs):
        return False
    factors = {id(factor) for pair in pairs for factor in pair}
    return all(id(weight) in factors for weight in model.parameters() if weight.requires_grad)


def weights_digest(model: nn.Module) -> str:
    """SHA-256 over names and values of all weights of a model."""
    return _digest(innermost(model).state_dict())


def start_digest(model: nn.Module) -> str:
    """SHA-256 over the weights of a model before it is trained, of which an adapter that adds nothing is no part.

    The same checkpoint has the same digest whole and under a fresh adapter, whatever its rank and its seed.
    """
    weights = innermost(model).state_dict()
    adapters = [name for name in weights if ".lora_" in name]
    if not any(weights[name].any() for name in adapters if ".lora_B" in name):
        weights = {name.replace(".base_layer", ""): weights[name] for name in weights.keys() - set(adapters)}
    return _digest(weights)


def _digest(weights: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        digest.update(json.dumps([name, str(value.dtype), list(value.shape)]).encode())
        digest.update(whole(value.detach()).cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def setup_digest(model: nn.Module, encoder: Encoder) -> str:
    """SHA-256 over what log-probabilities depend on beside weights and data.

    How adapters are scaled, the chat template, how pictures become pixels, which tokens end a turn.
    """
    adapters = {name: config.to_dict() for name, config in getattr(model, "peft_config", {}).items()}
    pictures = getattr(encoder.processor, "image_processor", None)
    setup = [
        adapters,
        encoder.processor.chat_template,
        pictures.to_dict() if pictures is not None else None,
        sorted(encoder.end_of_turn_ids),
    ]
    return hashlib.sha256(json.dumps(setup, sort_keys=True, default=_plain).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Sets in a fixed order; anything else by its name."""
    return sorted(map(str, value)) if isinstance(value, (set, frozenset)) else str(value)
