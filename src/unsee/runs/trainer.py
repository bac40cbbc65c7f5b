"""The trainer of a run by its settings: arguments, rows, and what watches it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from unsee.data import Benchmark, Probe
from unsee.methods.gate import gate_of
from unsee.runs.rate import found_rate, rows_to_look_at
from unsee.runs.settings import EPOCHS, LEAST_STEPS, STOP_EPOCHS, STOP_STEPS, Settings
from unsee.runs.stopping import Watched, check_stop, preserved_are_retained, stop_of, watched
from unsee.training.config import UnlearnConfig
from unsee.training.guard import HeldOutGuard
from unsee.training.guard import watched as guarded
from unsee.training.rates import FoundRate
from unsee.training.stopping import StopWhenDone
from unsee.training.trainer import UnlearnTrainer
from unsee.vlm import LoadedModel


def rows_of(settings: Settings, sets: Benchmark) -> Benchmark:
    """What a run trains on: with `retain_preserved`, the preserve rows are further retain rows.

    A saliency mask protects the retain rows with the preserve rows, in this order, so that it stays what it was.
    """
    if not preserved_are_retained(settings):
        return sets
    return replace(sets, retain=[*sets.retain, *sets.preserve], preserve=())


def preserved(settings: Settings, sets: Benchmark) -> str | None:
    """A sentence on what becomes of the preserve rows; None where there are none."""
    if not sets.preserve:
        return None
    masked = gate_of(settings.built_method, settings.gate) is not None
    protected = "the saliency mask protects them" if masked else "no saliency mask is there to protect them"
    if preserved_are_retained(settings):
        return f"Preserve rows: all {len(sets.preserve)} were trained on as further retain rows, and {protected}."
    if settings.retain_preserved:
        name = settings.card.name
        return f"Preserve rows: retain_preserved has no effect, as {name} trains on no retain rows; {protected}."
    return f"Preserve rows: none of the {len(sets.preserve)} was trained on (retain_preserved=false); {protected}."


@dataclass(frozen=True)
class Course:
    """A training that is about to begin.

    Attributes:
        trainer: of the run.
        guard: that stops it where it breaks what it should hold, if the run has one and there is something to watch.
        stop: that ends it when it is done, if the run has one.
        seen: what `stop` looks at.
        rate: that was found, where the run finds its own.
    """

    trainer: UnlearnTrainer
    guard: HeldOutGuard | None
    stop: StopWhenDone | None
    seen: Watched | None
    rate: FoundRate | None = None

    def facts(self) -> dict[str, Any]:
        """What the watches saw, once it is over; see `unsee.evaluation.run_scores.Facts`."""
        facts: dict[str, Any] = {}
        if self.guard:
            stopped = self.guard.stopped
            facts |= {"watched": self.guard.history, "stopped": asdict(stopped) if stopped else None}
        if self.stop and self.seen:
            facts["ended"] = self.stop.ended(self.seen.held_out).model_dump(mode="json")
        if self.rate:
            facts["rate"] = self.rate.model_dump(mode="json")
        return facts


def course(
    settings: Settings,
    sets: Benchmark,
    loaded: LoadedModel,
    arguments: UnlearnConfig,
    reported: Sequence[Probe] = (),
) -> Course:
    """The trainer of a run with all that belongs to it.

    Args:
        settings: of the run.
        sets: its rows, checked.
        loaded: the model.
        arguments: as `config` gives them.
        reported: probes whose rows nothing looks at that chooses a state or a rate.

    Raises:
        InputError: something shows to be wrong that was given.
    """
    check_stop(settings)
    method, seen = settings.built_method, watched(settings, sets, reported) if settings.stop else None
    looked_at = seen.rows if seen else rows_to_look_at(sets, reported)
    sets = rows_of(settings, seen.sets if seen else sets)
    guard = guard_of(settings, sets, loaded, spans=method.needs.spans)

    def make(of_run: UnlearnConfig, callbacks: list[TrainerCallback]) -> UnlearnTrainer:
        return UnlearnTrainer(
            loaded,
            of_run,
            method=method,
            forget=sets.forget,
            retain=sets.retain,
            preserve=sets.preserve,
            gate=settings.gate,
            callbacks=callbacks or None,
        )

    rate = None
    if settings.find_rate:
        rate = found_rate(settings, looked_at, loaded, arguments, make)
        arguments = replace_rate(arguments, rate.rate)
    stop = stop_of(settings, seen, loaded, Path(str(arguments.output_dir))) if seen else None
    watches: list[TrainerCallback] = [watch for watch in (guard, stop) if watch is not None]
    return Course(make(arguments, watches), guard, stop, seen, rate)


def replace_rate(arguments: UnlearnConfig, rate: float) -> UnlearnConfig:
    """The same arguments with another learning rate; `dataclasses.replace` would run their checks a second time."""
    changed = copy.copy(arguments)
    changed.learning_rate = rate
    return changed


def guard_of(settings: Settings, sets: Benchmark, loaded: LoadedModel, spans: bool) -> HeldOutGuard | None:
    """The guard of a run, where it has one and there is something to watch."""
    guard = settings.guard
    examples = guarded(spans, sets.forget, sets.retain, guard.rows) if guard else []
    if guard is None or not examples:
        return None
    return HeldOutGuard(loaded.encoder, examples, guard.drop, guard.every, settings.eval_batch_size)


def config(settings: Settings, folder: Path) -> UnlearnConfig:
    """The trainer's arguments of a run."""
    epochs, least = (STOP_EPOCHS, STOP_STEPS) if settings.stop else (EPOCHS, LEAST_STEPS)
    return UnlearnConfig(
        output_dir=str(folder),
        learning_rate=settings.learning_rate,
        num_train_epochs=settings.epochs or epochs,
        least_steps=0 if settings.epochs else least,
        max_steps=settings.max_steps or -1,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.eval_batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation,
        lr_scheduler_type=settings.scheduler,
        warmup_steps=settings.warmup_steps,
        max_grad_norm=settings.max_grad_norm,
        l1_weight=settings.l1.weight if settings.l1 else 0.0,
        l1_of=settings.l1.of if settings.l1 else "factors",
        saliency_batch_size=settings.saliency_batch_size,
        saliency_file=str(folder / "saliency.safetensors"),
        reference_file=str(folder / "reference.safetensors"),
        prepared_file=str(folder / "prepared.safetensors"),
        save_steps=settings.save_steps,
        seed=settings.seed,
        bf16=settings.autocast,
        report_to="none",
        disable_tqdm=True,
        use_cpu=not torch.accelerator.is_available(),
    )
