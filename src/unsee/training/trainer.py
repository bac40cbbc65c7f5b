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
- Several processes average their gradients once per optimizer step, here, and no wrapper does it in their backward
  passes: these differ in number from process to process. Weights in pieces are another matter: see
  `unsee.training.sharding`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, SequentialSampler
from transformers import PreTrainedModel, TrainerCallback
from transformers.trainer_utils import TrainOutput

from unsee.data.example import Example
from unsee.data.pairing import Mismatched, Pairing
from unsee.data.refusals import refused
from unsee.data.span_weights import balanced
from unsee.errors import InputError
from unsee.losses.sparsity import l1_of_factors, l1_of_product
from unsee.methods import Method, Reference, UnlearnBatch
from unsee.methods.gate import Gate, gate_of
from unsee.methods.method import Finishes, Term, needs_of, without_retain
from unsee.system import processes
from unsee.system.launch import check_arguments, check_distributed
from unsee.training.averaging import average_gradients, same_start
from unsee.training.bar import Bar, quiet_trainer
from unsee.training.checkpoints import MarkComplete, written_whole
from unsee.training.config import UnlearnConfig, use_one_gpu
from unsee.training.sharding import ShardedTrainer, end_alike, load_whole
from unsee.training.starting import StartingPoint
from unsee.training.summing import anywhere
from unsee.training.watch import Watch
from unsee.vlm.adapters import LowRank, moving_adapters
from unsee.vlm.batch import Batch
from unsee.vlm.change import WeightChange
from unsee.vlm.load import LoadedModel
from unsee.vlm.policy import Policy
from unsee.vlm.precision import Masters, autocast, training_precision
from unsee.vlm.sharded import shard_if_asked

ELSEWHERE = "a loss is not finite in another process"


class _Positions(Dataset[int]):
    """The positions of a run, 0 to `length - 1`."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, position: int) -> int:
        return position


class UnlearnTrainer(ShardedTrainer):
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

    loss_is_scaled_for_ga = False  # terms are means over a batch; `training_step` divides them for accumulation

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
        use_one_gpu(args)
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
        self.sharded = shard_if_asked(model, self.masters.dtypes)
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
            callbacks=[*(callbacks or []), MarkComplete(), self.bar],
        )
        vars(of_model).pop("use_cache", None)  # the trainer has turned it off, and it would be saved with the model
        if own_cache is not None:
            of_model.use_cache = own_cache
        quiet_trainer(self)
        check_distributed(self.accelerator.distributed_type.value)
        self.accelerator.prepare_model = lambda model, **_: model  # never wrapped: see `unsee.training.averaging`
        self.moving = [weight for weight in model.model.parameters() if weight.requires_grad]
        same_start(self.moving)  # fresh adapters are random, and a caller may seed each process otherwise
        # Reference, mask and watches start from this one, so that all compute in one precision.
        self.policy = Policy(model.model, autocast(model.device, self.precision))
        self.penalised = self._adapters() if args.l1_weight else []
        start = StartingPoint(self.policy, self.encoder, args, self.precision)
        self.reference: Reference = start.reference(method, forget, self.refusals, self.pairing)
        self.mask = start.mask(self.gate, forget, [*retain, *preserve]) if self.gate else None
        self.prepared = start.prepared(method)
        self.watches = [callback for callback in callbacks or [] if isinstance(callback, Watch)]
        for watch in self.watches:
            watch.begin(self.policy)

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
        for term in terms:
            if self._fails(term):
                break
            if term.value.requires_grad:  # rows in words alone say nothing about vision and projector
                with self.mask.gate(model) if self.mask and term.forgets else nullcontext():
                    self._backward(term.value)
            # Detached: holding on to a term would hold on to its graph while the next is built.
            total += term.value.detach() / self.current_gradient_accumulation_steps
            self._note({term.name: term.value, **term.parts})
        for adapter in self.penalised:  # one by one: a product is as large as the layer that it changes
            norm = self._l1_norm(adapter)
            self.accelerator.backward(norm / self.current_gradient_accumulation_steps)
            total += norm.detach() / self.current_gradient_accumulation_steps
            self._note({"l1": norm})
        self._term_count += 1
        self._share()
        return total

    def _fails(self, term: Term) -> bool:
        """Whether a term is no number. Not raised yet: the other processes would wait for this one for ever."""
        if not torch.isfinite(term.value):
            self._failed = self._failed or f"{term.name} loss is {term.value.item()}"
        if self.sharded and anywhere(torch.tensor(bool(self._failed), device=self.args.device)):
            self._failed = self._failed or ELSEWHERE
        return bool(self._failed)

    def _backward(self, loss: Tensor) -> None:
        loss = loss / self.current_gradient_accumulation_steps
        if self.sharded:
            end_alike(self.policy_model, loss)
        self.accelerator.backward(loss)

    def _share(self) -> None:
        """Average the gradients over the processes, before an optimizer step; all of them stop where one has to."""
        if self.sharded:  # averaged as they were made
            stops = bool(self._failed)
        elif processes.count() == 1 or self.accelerator.sync_gradients:
            stops = average_gradients(self.moving, bool(self._failed))
        else:
            return
        if stops:
            what = self._failed or ELSEWHERE
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
        """Write a checkpoint, or nothing where the disk refuses a part of it."""
        with written_whole(Path(str(self.args.output_dir)) / f"checkpoint-{self.state.global_step}"):
            super()._save_checkpoint(model, trial)

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
            load_whole(target, stored.state_dict())
        else:  # adapters have their own way
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        for watch in self.watches:
            watch.resume(Path(resume_from_checkpoint))

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not estimated: a step has as many passes as its method has terms."""
        return 0


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


def _batch(parts: dict[str, Any] | None) -> Batch | None:
    return None if parts is None else Batch.from_dict(parts)
