"""Unlearning on top of `transformers.Trainer`.

What differs from ordinary training:

- A batch is a pair of batches, forget and retain, drawn by `Pairing`: a pure function of seed and position.
- Each term of the method's objective has a backward pass of its own, so that a saliency mask can act on the forget
  gradient alone; graphs are built and freed one at a time.
- Losses are means over samples, divided by the accumulation steps here, whatever the model does with its own loss.
- Reference and saliency mask are made at the starting weights, before the first step and before a resume.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, SequentialSampler
from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from unsee.data import digest
from unsee.data.example import Example
from unsee.data.pairing import Pairing, mismatched
from unsee.data.refusals import refused
from unsee.errors import InputError
from unsee.methods import Method, Reference, UnlearnBatch
from unsee.progress import Steps, progress
from unsee.saliency import SaliencyMask
from unsee.vlm.encoding import Batch
from unsee.vlm.load import LoadedModel
from unsee.vlm.policy import Policy
from unsee.vlm.reference import (
    AdapterOffReference,
    CachedReference,
    CopyReference,
    NoReference,
    starts_at_base,
    weights_digest,
)

COMPLETE = "complete"  # an empty file that a checkpoint gets last of all; one without it is never resumed from


@dataclass
class UnlearnConfig(TrainingArguments):
    """`transformers.TrainingArguments` with defaults for unlearning, and what saliency needs.

    `num_train_epochs` counts passes over the forget set; the retain set is walked beside it at the same pace.
    """

    learning_rate: float = field(default=1e-5, metadata={"help": "Initial learning rate of AdamW."})
    num_train_epochs: float = field(default=5.0, metadata={"help": "Passes over the forget set."})
    lr_scheduler_type: str = field(default="constant", metadata={"help": "Learning rate schedule."})
    weight_decay: float = field(default=0.0, metadata={"help": "0: decay would move weights that a mask protects."})
    logging_steps: float = field(default=1, metadata={"help": "Log the terms of the objective every so many steps."})
    save_steps: float = field(default=50, metadata={"help": "Write a checkpoint every so many steps."})
    save_total_limit: int | None = field(default=2, metadata={"help": "How many checkpoints to keep."})
    remove_unused_columns: bool = field(default=False, metadata={"help": "Must stay False."})
    saliency_batch_size: int = field(
        default=8, metadata={"help": "Examples a squared gradient; 1 is the per-example Fisher information."}
    )
    saliency_file: str | None = field(
        default=None, metadata={"help": "Where the mask is kept, and read from when it is there already."}
    )
    reference_file: str | None = field(
        default=None, metadata={"help": "Where the reference's log-probabilities are kept, when a method needs them."}
    )


class _Positions(Dataset[int]):
    """The positions of a run, 0 to `length - 1`."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, position: int) -> int:
        return position


class UnlearnTrainer(Trainer):
    """Trains one method on forget and retain examples.

    Args:
        model: as `unsee.vlm.load` gives it.
        args: schedule, learning rate, output folder.
        method: one of `unsee.methods`, or anything with the same interface.
        forget: what is to be forgotten; never empty.
        retain: what is to be kept, for methods that train on it.
        preserve: what a saliency mask protects beside `retain`; no method trains on it.
        callbacks: as for `transformers.Trainer`.

    Raises:
        InputError: when a set that the method needs is empty, or no weight can move.
    """

    loss_is_scaled_for_ga = False

    def __init__(
        self,
        model: LoadedModel,
        args: UnlearnConfig,
        *,
        method: Method,
        forget: Sequence[Example],
        retain: Sequence[Example] = (),
        preserve: Sequence[Example] = (),
        callbacks: list[TrainerCallback] | None = None,
    ) -> None:
        _check_sets(method, forget, retain)
        if not any(weight.requires_grad for weight in model.model.parameters()):
            raise InputError(f"no weight of {model.source} may move; choose other parts")
        self.method, self.loaded, self.encoder = method, model, model.encoder
        self.forget, self.retain, self.preserve = forget, retain, preserve
        self.refusals = refused(forget, args.seed) if method.needs.refusals else []
        self._term_sums: dict[str, float] = {}
        self._term_count = 0
        args = copy.copy(args)  # what follows is not to change the caller's
        self.effective_batch = effective = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        if args.max_steps <= 0:
            args.max_steps = math.ceil(args.num_train_epochs * len(forget) / effective)
        self.pairing = Pairing(
            len(forget) if method.needs.forget else 0, len(retain) if method.needs.retain else 0, args.seed
        )
        self.config, self.policy_model = args, model.model
        self.positions = _Positions(args.max_steps * effective)
        super().__init__(
            model=model.model,
            args=args,
            train_dataset=self.positions,
            data_collator=self._collate,
            processing_class=model.processor,
            callbacks=[*(callbacks or []), _MarkComplete(), Bar(method.name)],
        )
        quiet_trainer(self)
        self.reference: Reference = self._make_reference()
        self.mask = self._make_mask() if method.needs.saliency else None

    def _collate(self, positions: list[int]) -> dict[str, Any]:
        pairs = [self.pairing[position] for position in positions]
        sets = {"forget": self.forget, "retain": self.retain}
        batch = {}
        for role in pairs[0]:
            places = [pair[role] for pair in pairs]
            batch[role] = self.encoder.batch([sets[role][place] for place in places], places).as_dict()
        places = [pair.get("forget", 0) for pair in pairs]
        if self.method.needs.refusals:  # numbered behind the forget examples, for a reference that remembers both
            behind = [len(self.forget) + place for place in places]
            batch["refusals"] = self.encoder.batch([self.refusals[place] for place in places], behind).as_dict()
        if self.method.needs.mismatched:
            others = [
                mismatched(self.forget, place, self.args.seed, position)
                for place, position in zip(places, positions, strict=True)
            ]
            batch["mismatched"] = self.encoder.batch(others, places).as_dict()
        return batch

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        return SequentialSampler(self.positions)

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """Backward of every term, each through its own gate; returns the sum of the terms for the logs."""
        model.train()
        inputs = self._prepare_inputs(inputs)
        roles = {role: _batch(inputs.get(role)) for role in ("forget", "retain", "refusals", "mismatched")}
        step = self.state.global_step
        batch = UnlearnBatch(**roles, step=step, epoch=step * self.effective_batch // len(self.forget))
        terms = self.method.terms(batch, Policy(model), self.reference)
        total = torch.zeros((), device=self.args.device)
        while True:
            with self.compute_loss_context_manager():
                term = next(terms, None)
            if term is None:
                break
            if not torch.isfinite(term.value):
                step = self.state.global_step + 1
                raise FloatingPointError(f"{self.method.name}: {term.name} loss is {term.value.item()} at step {step}")
            with self._gate(model) if term.gated else nullcontext():
                self.accelerator.backward(term.value / self.current_gradient_accumulation_steps)
            total += term.value.detach() / self.current_gradient_accumulation_steps
            self._term_sums[term.name] = self._term_sums.get(term.name, 0.0) + float(term.value.detach())
        self._term_count += 1
        return total

    def _gate(self, model: nn.Module) -> Any:
        if self.mask is None:
            raise RuntimeError(f"{self.method.name} gates a term but did not declare that it needs saliency")
        return self.mask.gate(model)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the mean of each term since the last log, as `forget_loss` and the like."""
        if self._term_count and "loss" in logs:
            logs |= {f"{name}_loss": total / self._term_count for name, total in self._term_sums.items()}
            self._term_sums, self._term_count = {}, 0
        super().log(logs, start_time)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        """Take the weights of a checkpoint through `from_pretrained`.

        `save_pretrained` writes the names that weights have on the hub, which for many vision-language models are not
        their names in memory. The trainer looks for the latter, finds none and goes on from the starting weights with
        no more than a warning (QwenLM/Qwen3-VL#1763).
        """
        target = self.policy_model
        if model is not None or not isinstance(target, PreTrainedModel):  # FSDP and adapters have their own ways
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            return
        stored = type(target).from_pretrained(resume_from_checkpoint, dtype=target.dtype)
        target.load_state_dict(stored.state_dict())

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not estimated: a step has as many passes as its method has terms."""
        return 0

    def _make_reference(self) -> Reference:
        need = self.method.needs.reference
        if need == "nothing":
            return NoReference()
        if starts_at_base(self.policy_model):
            return AdapterOffReference(self.policy_model)
        if need == "distribution":
            return CopyReference(self.policy_model)
        path = Path(self.config.reference_file) if self.config.reference_file else None
        key = f"{weights_digest(self.policy_model)}:{digest(self.forget)}"
        return CachedReference.compute(
            self.policy_model, self.encoder, self.forget, self.args.eval_batch_size, path, key
        )

    def _make_mask(self) -> SaliencyMask:
        path = Path(self.config.saliency_file) if self.config.saliency_file else None
        if path is not None and path.is_file():
            mask = SaliencyMask.load(path)
        else:
            kept = [*self.retain, *self.preserve]
            gamma = float(self.method.gamma)  # type: ignore[attr-defined]
            mask = SaliencyMask.build(
                self.policy_model, self._batches(self.forget, "forget"), self._batches(kept, "preserve"), gamma
            )
            if path is not None:
                mask.save(path)
        mask.check_fits(self.policy_model)
        return mask

    def _batches(self, examples: Sequence[Example], role: str) -> Any:
        size = self.config.saliency_batch_size
        starts = range(0, len(examples), size)
        for start in progress(starts, f"saliency of {role}", total=len(starts)):
            yield self.encoder.batch(examples[start : start + size]).to(self.args.device)


def _check_sets(method: Method, forget: Sequence[Example], retain: Sequence[Example]) -> None:
    if not forget:
        raise InputError("forget: the set is empty; give at least one example to forget")
    if method.needs.retain and not retain:
        raise InputError(f"{method.name} needs retain examples and none are given; give --retain FILE")


def _batch(parts: dict[str, Any] | None) -> Batch | None:
    return None if parts is None else Batch(**parts)


class _MarkComplete(TrainerCallback):
    """Marks a checkpoint once all of it is on disk."""

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            (Path(str(args.output_dir)) / f"checkpoint-{state.global_step}" / COMPLETE).touch()


class Bar(TrainerCallback):
    """A progress bar over the optimizer steps."""

    def __init__(self, description: str) -> None:
        self.description = description
        self.steps: Steps | None = None

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            self.steps = Steps(self.description, total=state.max_steps, done=state.global_step)

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.steps is not None:
            self.steps.advance()

    def on_train_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.steps is not None:
            self.steps.close()


def quiet_trainer(trainer: Trainer) -> None:
    """Take away the bars and lines that a trainer prints of its own accord; `Bar` shows the progress."""
    trainer.remove_callback(ProgressCallback)
    trainer.remove_callback(PrinterCallback)


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint in a folder, or None. Incomplete ones are left alone and never used."""
    found = [path for path in folder.glob("checkpoint-*") if (path / COMPLETE).is_file()]
    return max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
