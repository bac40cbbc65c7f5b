"""The third stage of a run: it trains the model, writes it, and notes how that went."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from unsee.data import Benchmark, Probe
from unsee.evaluation.span_likelihood import moved_spans, span_likelihood
from unsee.runs.settings import Settings
from unsee.runs.trainer import config, course, preserved
from unsee.system.atomic import whole_folder
from unsee.system.files import write_json
from unsee.training.checkpoints import latest_checkpoint
from unsee.training.config import UnlearnConfig
from unsee.training.trainer import UnlearnTrainer
from unsee.types import PARTS
from unsee.vlm import LoadedModel, part_of_parameters, trainable_per_part
from unsee.vlm.change import Start
from unsee.vlm.save import save
from unsee.vlm.sharded import in_one_piece

FACTS = Path("checkpoints", "training.json")  # what is known of the training


def train(folder: Path, settings: Settings, sets: Benchmark, loaded: LoadedModel) -> None:
    """Train, from the last checkpoint where there is one. The folder `model` appears when it is whole, behind `FACTS`.

    Args:
        folder: of the run.
        settings: of the run.
        sets: what the model is trained on.
        loaded: the model, which changes.

    Raises:
        InputError: something shows to be wrong that was given.
        FloatingPointError: a loss is no number.
    """
    checkpoints = folder / "checkpoints"
    checkpoints.mkdir(parents=True, exist_ok=True)
    trainer, facts = trained(settings, sets, loaded, config(settings, checkpoints), latest_checkpoint(checkpoints))
    written = in_one_piece(loaded)
    if trainer.is_world_process_zero():
        write_json(folder / FACTS, facts)
        with whole_folder(folder / "model") as temporary:
            save(written, temporary)
    trainer.accelerator.wait_for_everyone()


def trained(
    settings: Settings,
    sets: Benchmark,
    loaded: LoadedModel,
    arguments: UnlearnConfig,
    last: Path | None = None,
    reported: Sequence[Probe] = (),
) -> tuple[UnlearnTrainer, dict[str, Any]]:
    """Train a model where it is in memory, and write nothing but what the arguments name.

    Args:
        settings: of the run.
        sets: what the model is trained on.
        loaded: the model, which changes.
        arguments: of the trainer, as `config` makes them.
        last: checkpoint to go on from.
        reported: probes whose rows nothing looks at that chooses a state or a rate.

    Returns:
        The trainer when it is through, and what `FACTS` holds.

    Raises:
        InputError: something shows to be wrong that was given.
        FloatingPointError: a loss is no number.
    """
    start, spans = Start.of(loaded.model), settings.built_method.needs.spans
    likely = partial(span_likelihood, loaded, sets.forget, settings.eval_batch_size)
    before = likely() if spans else None
    planned = course(settings, sets, loaded, arguments, reported)
    trainer = planned.trainer
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    facts = _facts(trainer, loaded, start) | planned.facts()
    if before:
        facts["spans"] = moved_spans(len(sets.forget), before, likely())
    if told := preserved(settings, sets):
        facts["preserved"] = told
    if settings.guard and planned.guard is None:
        facts |= {"watched": [], "stopped": None}  # no row that should stay: see `unsee.training.guard.UNWATCHED`
    return trainer, facts


def _facts(trainer: UnlearnTrainer, loaded: LoadedModel, start: Start) -> dict[str, Any]:
    """Losses by step, what might move and what did; see `unsee.evaluation.run_scores.Facts`."""
    return {
        "curve": [
            {"step": entry["step"], **{k[: -len("_loss")]: v for k, v in entry.items() if k.endswith("_loss")}}
            for entry in trainer.state.log_history
            if "loss" in entry
        ],
        "parts": {part: list(counts) for part, counts in trainable_per_part(loaded.model).items()},
        "saliency": _densities(trainer),
        "steps": trainer.state.global_step,
        "unread": sorted(loaded.unread),
        "moved": start.moved(loaded.model),
    }


def _densities(trainer: UnlearnTrainer) -> dict[str, dict[str, float]]:
    """Of each part's trainable weights the share that the forget set reaches, and of these the share that passes."""
    mask = trainer.mask
    if mask is None:
        return {}
    part_of = part_of_parameters(trainer.policy_model)
    names = {part: [name for name in mask.bits if part_of[name] == part] for part in PARTS}
    return {part: {"passing": mask.density(of), "reached": mask.reach(of)} for part, of in names.items() if of}
