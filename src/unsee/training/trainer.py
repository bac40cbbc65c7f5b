"""Unlearning on top of `transformers.Trainer`.

What differs from ordinary training:

- A batch is a pair of batches, forget and retain, drawn by `Pairing`: a pure function of seed and position.
- Each term of the method's objective has a backward pass of its own, so that a saliency mask can act on the forget
  gradient alone; graphs are built and freed one at a time.
- An l1 norm of the adapters can be added to any objective, as one more term that no mask stands before.
- Losses are means over samples, divided by the accumulation steps here, whatever the model does with its own loss.
- Reference, saliency mask and what a method prepares are made at the starting weights, before the first step and
  before a resume. What a method does to the weights at the end is done once, when `train` has seen the last step;
  checkpoints hold the weights before that.
- Weights in half precision that may move are kept in float32 until the training is over, and rounded once.
- Several processes average their gradients once an optimizer step, here, and no wrapper does it in their backward
  passes: these differ in number from process to process.
"""

from __future__ import annotations

import copy
import errno
import hashlib
import json
import math
import shutil
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.utils.data import Dataset, SequentialSampler
from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback
from transformers.trainer_utils import TrainOutput

from unsee.data import digest
from unsee.data.example import Example
from unsee.data.pairing import Mismatched, Pairing
from unsee.data.refusals import refused
from unsee.data.span_weights import balanced
from unsee.errors import InputError
from unsee.losses import l1_of_factors, l1_of_product
from unsee.methods import Method, Reference, UnlearnBatch
from unsee.methods.gate import Gate, gate_of
from unsee.methods.method import Finishes, Prepares, needs_of, without_retain
from unsee.system import processes
from unsee.system.launch import check_arguments, check_distributed
from unsee.system.progress import Steps, progress
from unsee.training.averaging import average_gradients, same_start
from unsee.training.guard import Watch
from unsee.training.saliency import SaliencyMask
from unsee.vlm.adapters import LowRank, moving_adapters
from unsee.vlm.batch import Batch
from unsee.vlm.change import WeightChange
from unsee.vlm.checkpoint import read_object, stored_weights
from unsee.vlm.encoding import Encoder
from unsee.vlm.load import LoadedModel
from unsee.vlm.policy import Policy
from unsee.vlm.precision import Masters, autocast, training_precision
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

COMPLETE = "complete"  # an empty file that a checkpoint gets last of all; one without it is never resumed from


@dataclass
class UnlearnConfig(TrainingArguments):
    """`transformers.TrainingArguments` with defaults for unlearning, and what saliency needs.

    `num_train_epochs` counts passes over the forget set; the retain set is walked beside it at the same pace.
    """

    learning_rate: float = field(default=1e-5, metadata={"help": "Initial learning rate of AdamW."})
    num_train_epochs: float = field(default=5.0, metadata={"help": "Passes over the forget set."})
    least_steps: int = field(default=0, metadata={"help": "Optimizer steps at least, where epochs make fewer."})
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
    prepared_file: str | None = field(
        default=None, metadata={"help": "Where the tensors are kept that a method prepares before the first step."}
    )
    l1_weight: float = field(default=0.0, metadata={"help": "Weight of the l1 norm of LoRA adapters; 0: none."})
    l1_of: str = field(default="factors", metadata={"help": "factors: sum|A| + sum|B|; product: sum|scaling * B A|."})


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
        gate: put a saliency mask before the method's forget terms; a method that has one of its own needs none.
        callbacks: as for `transformers.Trainer`; a `Watch` among them begins at the starting weights.

    Raises:
        InputError: when a set that the method needs is empty, no weight can move, weight decay would move weights
            that a mask protects, the method has no place for a gate, or there is no adapter for an l1 norm.
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
        gate: Gate | None = None,
        callbacks: list[TrainerCallback] | None = None,
    ) -> None:
        _check_sets(method, forget, retain)
        if not any(weight.requires_grad for weight in model.model.parameters()):
            raise InputError(f"no weight of {model.source} may move; choose other parts")
        self.method, self.loaded, self.encoder = method, model, model.encoder
        self.gate = gate_of(method, gate)
        if method.needs.spans:
            forget = balanced(forget)
        self.forget, self.retain, self.preserve = forget, retain, preserve
        self.refusals = refused(forget, args.seed) if method.needs.refusals else []
        self.mismatched = Mismatched(forget, args.seed)
        self._term_sums: dict[str, Tensor] = {}
        self._term_count = 0
        self._failed = ""  # why this process cannot go on
        args = copy.copy(args)  # what follows is not to change the caller's
        check_arguments(args.deepspeed, args.fsdp, args.torch_compile)
        _use_one_gpu(args)
        self.effective_batch = effective = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        # Epochs become steps here: a run is a list of positions, and which rows meet follows from a position alone.
        if args.max_steps <= 0:
            steps = math.ceil(args.num_train_epochs * len(forget) / effective)
            args.max_steps = max(steps, args.least_steps)
        self.pairing = Pairing(
            len(forget) if method.needs.forget else 0, len(retain) if needs_of(method).retain else 0, args.seed
        )
        self.config, self.policy_model = args, model.model
        self.precision = training_precision(model.model, args.mixed_precision)
        self.masters = Masters(model.model, self.precision)
        self.masters.widen()  # at a rate of 1e-5 an update is mostly too small to change a bfloat16 weight
        self.positions = _Positions(args.max_steps * effective)
        self.bar = Bar(method.name)
        of_model: Any = model.model.config
        own_cache = vars(of_model).get("use_cache")
        super().__init__(
            model=model.model,
            args=args,
            train_dataset=self.positions,
            data_collator=self._collate,
            processing_class=model.processor,
            callbacks=[*(callbacks or []), _MarkComplete(), self.bar],
        )
        vars(of_model).pop("use_cache", None)  # the trainer has turned it off, and it would be saved with the model
        if own_cache is not None:
            of_model.use_cache = own_cache
        quiet_trainer(self)
        check_distributed(self.accelerator.distributed_type.value)
        self.accelerator.prepare_model = lambda model, **_: model  # never wrapped
        self.moving = [weight for weight in model.model.parameters() if weight.requires_grad]
        same_start(self.moving)
        # Reference, mask and guard start from this one.
        self.policy = Policy(model.model, autocast(model.device, self.precision))
        self.penalised = self._adapters() if args.l1_weight else []
        self.reference: Reference = self._make_reference()
        self.mask = self._make_mask(self.gate) if self.gate else None
        self.prepared = self._prepare()
        self.guards = [callback for callback in callbacks or [] if isinstance(callback, Watch)]
        for guard in self.guards:
            guard.begin(self.policy)

    def _collate(self, positions: list[int]) -> dict[str, Any]:
        pairs = [self.pairing[position] for position in positions]
        sets = {"forget": self.forget, "retain": self.retain}
        batch = {}  # per role a `Batch` as plain dictionaries, which accelerate can move; labels (batch, answer)
        for role in pairs[0]:
            places = [pair[role] for pair in pairs]
            batch[role] = self.encoder.batch([sets[role][place] for place in places], places).as_dict()
        places = [pair.get("forget", 0) for pair in pairs]
        if self.method.needs.refusals:  # numbered behind the forget examples, for a reference that remembers both
            behind = [len(self.forget) + place for place in places]
            batch["refusals"] = self.encoder.batch([self.refusals[place] for place in places], behind).as_dict()
        if self.method.needs.mismatched:
            others = [self.mismatched(place, position) for place, position in zip(places, positions, strict=True)]
            batch["mismatched"] = self.encoder.batch(others, places).as_dict()
        return batch

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        # In order: `Pairing` shuffles by itself, alike on any number of processes.
        return SequentialSampler(self.positions)

    def train(self, *arguments: Any, **options: Any) -> TrainOutput:
        """Train, as `transformers.Trainer.train` does, and let the method edit the weights at the end."""
        self.masters.widen()
        try:
            outcome = self._train(*arguments, **options)
        finally:
            self.bar.close()
        self.masters.narrow()
        return outcome

    def _train(self, *arguments: Any, **options: Any) -> TrainOutput:
        if not isinstance(self.method, Finishes):
            return super().train(*arguments, **options)
        change = WeightChange(self.policy_model, keep_start=self.method.needs.start)  # before a checkpoint is loaded
        trains = self.method.needs.forget or self.method.needs.retain
        outcome = super().train(*arguments, **options) if trains else TrainOutput(0, 0.0, {})
        self.method.finish(change, self.args.seed)
        return outcome

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """Backward of every term, each through its own gate; returns the sum of the terms for the logs."""
        model.train()
        inputs = self._prepare_inputs(inputs)
        forget, retain, refusals, others = (
            _batch(inputs.get(role)) for role in ("forget", "retain", "refusals", "mismatched")
        )
        step = self.state.global_step
        epoch = step * self.effective_batch // len(self.forget)
        steps = self.state.max_steps
        batch = UnlearnBatch(forget, retain, refusals, others, step, epoch, steps, prepared=self.prepared)
        terms = self.method.terms(batch, self.policy, self.reference)  # lazy: a graph is built when its turn comes
        total = torch.zeros((), device=self.args.device)
        failed = ""
        for term in terms:
            if not torch.isfinite(term.value):  # not raised yet: the other processes would wait for this one for ever
                failed = f"{term.name} loss is {term.value.item()}"
                break
            if term.value.requires_grad:  # rows in words alone say nothing about vision and projector
                with self.mask.gate(model) if self.mask and term.forgets else nullcontext():
                    self.accelerator.backward(term.value / self.current_gradient_accumulation_steps)
            # Detached: holding on to a term would hold on to its graph while the next is built.
            total += term.value.detach() / self.current_gradient_accumulation_steps
            self._note({term.name: term.value, **term.parts})
        for adapter in self.penalised:  # one by one: a product is as large as the layer that it changes
            norm = self._l1_norm(adapter)
            self.accelerator.backward(norm / self.current_gradient_accumulation_steps)
            total += norm.detach() / self.current_gradient_accumulation_steps
            self._note({"l1": norm})
        self._term_count += 1
        self._share(failed)
        return total

    def _share(self, failed: str) -> None:
        """Average the gradients over the processes, before an optimizer step; all of them stop where one has to."""
        self._failed = self._failed or failed
        alone = processes.count() == 1
        if not (alone or self.accelerator.sync_gradients):
            return
        if average_gradients(self.moving, bool(self._failed)):
            what = self._failed or "a loss is not finite in another process"
            raise FloatingPointError(f"{self.method.name}: {what} at step {self.state.global_step + 1}")

    def _note(self, values: Mapping[str, Tensor]) -> None:
        """Add to the sums for the logs, without reading a number: an accelerator would have to finish its work."""
        for name, value in values.items():
            self._term_sums[name] = value.detach().float() + self._term_sums.get(name, 0.0)

    def _adapters(self) -> list[LowRank]:
        if self.config.l1_of not in ("factors", "product"):
            raise InputError(f"l1_of={self.config.l1_of!r}: give factors or product")
        return moving_adapters(self.policy_model)

    def _l1_norm(self, adapter: LowRank) -> Tensor:
        product = self.config.l1_of == "product"
        norm = l1_of_product(*adapter) if product else l1_of_factors(adapter.first, adapter.second)
        return self.config.l1_weight * norm

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the mean of each term since the last log, as `forget_loss` and the like."""
        if self._term_count and "loss" in logs:
            means = torch.stack(list(self._term_sums.values())) / self._term_count
            means = self.accelerator.reduce(means, "mean")  # over processes
            logs |= {f"{name}_loss": float(mean) for name, mean in zip(self._term_sums, means, strict=True)}
            self._term_sums, self._term_count = {}, 0
        super().log(logs, start_time)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Take away what of a checkpoint could be written where the rest could not, and say why in one line.

        A full disk comes as an error of the system, of safetensors, or of the archives that torch writes.
        """
        try:
            super()._save_checkpoint(model, trial)
        except (OSError, SafetensorError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "inline_container" not in str(error):
                raise
            folder = Path(str(self.args.output_dir)) / f"checkpoint-{self.state.global_step}"
            shutil.rmtree(folder, ignore_errors=True)
            system = error if isinstance(error, OSError) else OSError(errno.ENOSPC, "the disk seems to be full")
            raise InputError(
                f"cannot write {folder}: {system.strerror or system}; make room, and start the same command again"
            ) from system

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        """Take the weights of a checkpoint through `from_pretrained`.

        `save_pretrained` writes the names that weights have on the hub, which for many vision-language models are not
        their names in memory. The trainer looks for the latter, finds none and goes on from the starting weights with
        no more than a warning (QwenLM/Qwen3-VL#1763).
        """
        target = self.policy_model
        if isinstance(target, PreTrainedModel):
            # What moves was stored in float32; what does not is rounded back without a loss.
            config = copy.deepcopy(target.config)  # loading notes its own dtype there
            stored = type(target).from_pretrained(
                resume_from_checkpoint, config=config, dtype=torch.float32, use_safetensors=True
            )
            target.load_state_dict(stored.state_dict())
        else:  # adapters have their own way
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        for guard in self.guards:
            guard.resume(Path(resume_from_checkpoint))

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not estimated: a step has as many passes as its method has terms."""
        return 0

    def _make_reference(self) -> Reference:
        need = self.method.needs.reference
        if need == "nothing":
            return NoReference()
        if starts_at_base(self.policy_model):
            return AdapterOffReference(self.policy)
        if need == "distribution":
            return CopyReference(self.policy)
        path = Path(self.config.reference_file) if self.config.reference_file else None
        examples = [*self.forget, *self.refusals]  # refusals are numbered behind the forget examples
        batches = self._first_batches()
        key = hashlib.sha256(json.dumps([*self._start_key(), digest(examples), batches]).encode()).hexdigest()
        return CachedReference.compute(self.policy, self.encoder, examples, batches, path, key)

    def _first_batches(self) -> list[list[int]]:
        """The batches in which forget examples, and their refusals, meet when each has its first turn; by place."""
        size, count = self.args.train_batch_size, len(self.forget)
        starts = range(0, count, size)
        forget = [[self.pairing[start + row].get("forget", 0) for row in range(size)] for start in starts]
        return forget + [[count + place for place in places] for places in forget if self.refusals]

    def _start_key(self) -> list[str]:
        """What log-probabilities and gradients at the starting weights depend on, beside data."""
        return [
            weights_digest(self.policy_model),
            setup_digest(self.policy_model, self.encoder),
            str(self.precision),
        ]

    def _prepare(self) -> dict[str, Tensor]:
        """What the method makes before the first step, read from its file when that is of the same run."""
        if not isinstance(self.method, Prepares):
            return {}
        path = Path(self.config.prepared_file) if self.config.prepared_file else None
        batch_size = self.args.train_batch_size
        key = json.dumps([repr(self.method), self.args.seed, batch_size, *self._start_key()])
        prepared = read_tensors(path, key)
        if prepared is None:
            prepared = self.method.prepare(self.policy, self.args.seed, batch_size)
            write_tensors(path, prepared, key)
        return {name: value.to(self.args.device) for name, value in prepared.items()}

    def _make_mask(self, gate: Gate) -> SaliencyMask:
        """The mask of this run, read from its file when that is of the same run or was made by hand."""
        if self.args.weight_decay:
            raise InputError(
                f"weight_decay={self.args.weight_decay:g} would move the weights that the saliency mask protects; "
                "set it to 0"
            )
        path = Path(self.config.saliency_file) if self.config.saliency_file else None
        key = self._mask_key(gate)
        mask = SaliencyMask.load(path) if path is not None and path.is_file() else None
        if mask is None or mask.key not in (key, ""):
            mask = self._build_mask(gate)
            mask.key = key
            if path is not None and processes.is_main():
                mask.save(path)
        mask.check_fits(self.policy_model)
        return mask

    def _build_mask(self, gate: Gate) -> SaliencyMask:
        # As published: examples with images protect every part, what is known in words the language model alone.
        kept = [*self.retain, *self.preserve]
        sets = {
            "forget": self.forget,
            "images to preserve": [example for example in kept if example.image is not None],
            "words to preserve": [example for example in kept if example.image is None],
        }
        forget, images, words = (
            _Batches(self.encoder, examples, self.config.saliency_batch_size, self.args.device, f"saliency of {name}")
            for name, examples in sets.items()
        )
        return SaliencyMask.build(self.policy, forget, images, words, gate)

    def _mask_key(self, gate: Gate) -> str:
        """Everything that a mask is made from."""
        trainable = [name for name, weight in self.policy_model.named_parameters() if weight.requires_grad]
        made_from = [
            *self._start_key(),
            trainable,
            digest(self.forget),
            digest([*self.retain, *self.preserve]),
            self.config.saliency_batch_size,
            gate.model_dump(),
        ]
        return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()


class _Batches:
    """Batches of some rows in order, made one at a time, with a progress bar."""

    def __init__(
        self, encoder: Encoder, examples: Sequence[Example], size: int, device: torch.device, description: str
    ) -> None:
        self.encoder, self.examples, self.size = encoder, examples, size
        self.device, self.description = device, description

    def __len__(self) -> int:
        return math.ceil(len(self.examples) / self.size)

    def __iter__(self) -> Iterator[Batch]:
        starts = range(0, len(self.examples), self.size)
        for start in progress(starts, self.description, total=len(starts)) if starts else ():
            yield self.encoder.batch(self.examples[start : start + self.size]).to(self.device)


def _check_sets(method: Method, forget: Sequence[Example], retain: Sequence[Example]) -> None:
    if not forget:
        raise InputError("forget: the set is empty; give at least one example to forget")
    if needs_of(method).retain and not retain:
        raise InputError(f"{method.name} trains on retain rows and none are given; {without_retain(method)}")
    if getattr(method, "weighting", "equal") == "scores" and all(s.score <= 1 for row in forget for s in row.spans):
        raise InputError(
            f"{method.name}: weighting=scores counts in 100 x cosine, and no span scores above 1: these are "
            "probabilities; leave weighting at equal"
        )


def _use_one_gpu(args: UnlearnConfig) -> None:
    """Keep transformers from splitting batches over the GPUs of one process: copies of a model have no gates."""
    if args.n_gpu > 1:
        warnings.warn(
            f"of {args.n_gpu} GPUs one is used; run `accelerate launch --num_processes {args.n_gpu}` to use all",
            stacklevel=3,
        )
        args._n_gpu = 1


def _batch(parts: dict[str, Any] | None) -> Batch | None:
    return None if parts is None else Batch.from_dict(parts)


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
        self.close()

    def close(self) -> None:
        """Take the bar away, also where a training ended in an error."""
        if self.steps is not None:
            self.steps.close()


def quiet_trainer(trainer: Trainer) -> None:
    """Take away the bars and lines that a trainer prints of its own accord; `Bar` shows the progress."""
    trainer.remove_callback(ProgressCallback)
    trainer.remove_callback(PrinterCallback)


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint in a folder, or None. Incomplete and damaged ones are left alone, never used."""
    found = [path for path in folder.glob("checkpoint-*") if (path / COMPLETE).is_file()]
    newest_first = sorted(found, key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    return next((path for path in newest_first if _is_sound(path)), None)


def _is_sound(checkpoint: Path) -> bool:
    """Whether files have the lengths that they say; a disk that was full or failed leaves others."""
    stem = "adapter_model" if (checkpoint / "adapter_config.json").is_file() else "model"
    try:
        read_object(checkpoint / "trainer_state.json")
        stored_weights(checkpoint, stem)
    except InputError:
        return False
    return all(zipfile.is_zipfile(path) for path in checkpoint.glob("*.pt*"))  # optimizer, schedule, random numbers
