"""One unlearning from settings to a run folder: load, check, measure, train, save, measure again, report.

Every stage leaves a file behind and is passed over when that file is there, so an interrupted run that is started
again with the same settings goes on where it was and ends with the same bytes. Nothing is written before everything
that was given has been checked.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import set_seed

from unsee import __version__
from unsee.data import Benchmark, Probe, check_sets, digest, load_examples
from unsee.errors import InputError
from unsee.evaluate import Record, measure_all, score
from unsee.files import read_json, write_json, write_text
from unsee.methods import build
from unsee.settings import Settings, read_yaml
from unsee.trainer import UnlearnConfig, UnlearnTrainer, latest_checkpoint
from unsee.vlm import LoadedModel, LoraOptions, load, part_of_parameters, trainable_per_part
from unsee.vlm.reference import weights_digest

LIBRARIES = ("torch", "transformers", "peft", "accelerate", "datasets", "safetensors")
Records = dict[str, list[Record]]  # by probe


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, and what is in it."""

    folder: Path
    settings: Settings
    benchmark: Benchmark
    records: dict[str, Records]  # "base" and the method
    scores: dict[str, Any]  # the content of scores.json

    @property
    def model(self) -> Path:
        """The unlearned checkpoint or adapter."""
        return self.folder / "model"


def unlearn(settings: Settings, base_records: Path | None = None) -> Run:
    """Carry out a run, or finish one that was interrupted.

    Args:
        settings: as `unsee.settings.parse` gives them.
        base_records: records of the same base on the same probes by an earlier run, to save measuring again.

    Raises:
        InputError: when anything that was given is wrong; nothing has been written then.
    """
    folder = Path(settings.out)
    check_folder(folder)
    benchmark = load_benchmark(settings)
    build(settings.method, settings.hyper_parameters)
    loaded = load_model(settings)
    for examples in (benchmark.forget, benchmark.retain, benchmark.preserve, *(p.examples for p in benchmark.probes)):
        loaded.encoder.check(examples)
    start_folder(folder, settings, benchmark, loaded)
    return _execute(folder, settings, benchmark, loaded, base_records)


def load_benchmark(settings: Settings) -> Benchmark:
    """The data of a run, checked. Without probes, the training rows themselves are measured, and marked so."""
    sets = {
        role: load_examples(source) if (source := getattr(settings, role)) else []
        for role in ("forget", "retain", "preserve")
    }
    probes = [Probe(name, load_examples(source)) for name, source in settings.probes.items()]
    if not probes:
        probes = [Probe(role, sets[role], trained_on=True) for role in ("forget", "retain") if sets[role]]
    check_sets(sets["forget"], sets["retain"], probes)
    needs = build(settings.method, settings.hyper_parameters).needs
    if needs.retain and not sets["retain"]:
        raise InputError(f"{settings.method} trains on retain rows and none are given; add --retain FILE")
    return Benchmark(settings.forget, sets["forget"], sets["retain"], sets["preserve"], probes)


def load_model(settings: Settings) -> LoadedModel:
    """The model of a run, frozen but for the parts that may move."""
    set_seed(settings.seed)  # adapters start from random weights
    lora = LoraOptions(**settings.lora.model_dump()) if settings.lora else None
    return load(
        settings.model,
        dtype=settings.dtype,
        parts=settings.parts,
        lora=lora,
        trust_remote_code=settings.trust_remote_code,
    )


def check_folder(folder: Path) -> None:
    """InputError unless a run may be written to this folder."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"out: {folder} is a file; give a folder that does not exist yet")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "run.yaml").is_file():
        raise InputError(f"out: {folder} is not empty and holds no run; give a folder that does not exist yet")
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not existing.is_dir():
        raise InputError(f"out: {existing} is a file, so {folder} cannot be made; give another folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"out: no permission to write to {existing}; give a folder of your own")


def start_folder(folder: Path, settings: Settings, benchmark: Benchmark, loaded: LoadedModel) -> None:
    """Write `run.yaml`, or see that the one that is there describes the same run."""
    hashes = {
        "model": weights_digest(loaded.model),
        "forget": digest(benchmark.forget),
        "retain": digest(benchmark.retain),
        "preserve": digest(benchmark.preserve),
        "probes": {probe.name: digest(probe.examples) for probe in benchmark.probes},
    }
    kept = settings.model_dump(mode="json", exclude={"out"})
    path = folder / "run.yaml"
    if path.is_file():
        stored = yaml.safe_load(path.read_text())
        if stored.get("settings") != kept or stored.get("hashes") != hashes:
            differs = _first_difference({**stored.get("settings", {}), **stored.get("hashes", {})}, {**kept, **hashes})
            raise InputError(f"out: {folder} holds another run ({differs}); give another folder, or remove that one")
        return
    versions = {"unsee": __version__, "python": platform.python_version()}
    versions |= {name: importlib.metadata.version(name) for name in LIBRARIES}
    content = {"settings": kept, "versions": versions, "hashes": hashes}
    write_text(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def _first_difference(stored: dict[str, Any], wanted: dict[str, Any]) -> str:
    key = next((key for key in wanted if stored.get(key) != wanted[key]), "run.yaml")
    return f"{key} there is {str(stored.get(key))[:60]!r}, here {str(wanted.get(key))[:60]!r}"


def _execute(
    folder: Path, settings: Settings, benchmark: Benchmark, loaded: LoadedModel, base_records: Path | None
) -> Run:
    records = folder / "records"
    if base_records is not None and not (records / "base").is_dir():
        shutil.copytree(base_records, records / "base")
    sizes = {"batch_size": settings.eval_batch_size, "max_new_tokens": settings.max_new_tokens}
    clock = Clock(folder / "checkpoints" / "seconds.json")
    base = clock("measure base", lambda: measure_all(loaded, benchmark.probes, records / "base", **sizes))
    trained = folder / "model"
    if not trained.is_dir():
        clock("unlearn", lambda: _train(folder, settings, benchmark, loaded))
    else:
        loaded = load(trained, dtype=settings.dtype, trust_remote_code=settings.trust_remote_code)
    name = settings.method
    after = clock("measure", lambda: measure_all(loaded, benchmark.probes, records / name, **sizes))
    found = {"base": base, name: after}
    scores = {
        "method": name,
        "models": {
            model: {probe: score(rows, base[probe], settings.seed).to_dict() for probe, rows in asked.items()}
            for model, asked in found.items()
        },
        "trained_on": [probe.name for probe in benchmark.probes if probe.trained_on],
        "seconds": clock.seconds,
        **read_json(folder / "checkpoints" / "training.json"),
    }
    write_json(folder / "scores.json", scores)
    return Run(folder, settings, benchmark, found, scores)


def _train(folder: Path, settings: Settings, benchmark: Benchmark, loaded: LoadedModel) -> None:
    """Train, and write the model; the folder `model` appears when it is whole."""
    checkpoints = folder / "checkpoints"
    checkpoints.mkdir(parents=True, exist_ok=True)
    trainer = UnlearnTrainer(
        loaded,
        config(settings, checkpoints),
        method=build(settings.method, settings.hyper_parameters),
        forget=benchmark.forget,
        retain=benchmark.retain,
        preserve=benchmark.preserve,
    )
    last = latest_checkpoint(checkpoints)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    facts = {
        "curve": [
            {"step": entry["step"], **{k[: -len("_loss")]: v for k, v in entry.items() if k.endswith("_loss")}}
            for entry in trainer.state.log_history
            if "loss" in entry
        ],
        "parts": {part: list(counts) for part, counts in trainable_per_part(loaded.model).items()},
        "saliency": _densities(trainer),
        "steps": trainer.state.global_step,
    }
    if trainer.is_world_process_zero():
        write_json(checkpoints / "training.json", facts)
        partial = folder / ".model.partial"
        shutil.rmtree(partial, ignore_errors=True)
        loaded.model.save_pretrained(partial)  # type: ignore[operator]
        loaded.processor.save_pretrained(partial)
        partial.rename(folder / "model")
    trainer.accelerator.wait_for_everyone()


def config(settings: Settings, folder: Path) -> UnlearnConfig:
    """The trainer's arguments of a run."""
    return UnlearnConfig(
        output_dir=str(folder),
        learning_rate=settings.learning_rate,
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps or -1,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.eval_batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation,
        lr_scheduler_type=settings.scheduler,
        warmup_steps=settings.warmup_steps,
        max_grad_norm=settings.max_grad_norm,
        saliency_batch_size=settings.saliency_batch_size,
        saliency_file=str(folder / "saliency.safetensors"),
        reference_file=str(folder / "reference.safetensors"),
        save_steps=settings.save_steps,
        seed=settings.seed,
        bf16=settings.autocast,
        report_to="none",
        disable_tqdm=True,
        use_cpu=not torch.accelerator.is_available(),
    )


def _densities(trainer: UnlearnTrainer) -> dict[str, float]:
    """Share of each part's trainable weights that the mask lets through."""
    if trainer.mask is None:
        return {}
    part_of = part_of_parameters(trainer.policy_model)
    names = {part: [name for name in trainer.mask.bits if part_of[name] == part] for part in set(part_of.values())}
    return {part: trainer.mask.density(of_part) for part, of_part in sorted(names.items()) if of_part}


class Clock:
    """Seconds that each stage took, kept in a file so that a resumed run knows about the stages before."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seconds: dict[str, float] = read_json(path) if path.is_file() else {}

    def __call__(self, stage: str, work: Callable[[], Any]) -> Any:
        """Do some work and note how long it took, on top of what the stage took before."""
        started = time.perf_counter()
        outcome = work()
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + time.perf_counter() - started, 3)
        write_json(self.path, self.seconds)
        return outcome


def open_run(folder: Path) -> Run:
    """Read a finished run again, for a report.

    Raises:
        InputError: when the folder holds no finished run, or its data has moved.
    """
    from unsee.evaluate import read_records
    from unsee.settings import parse

    for name in ("run.yaml", "scores.json"):
        if not (folder / name).is_file():
            raise InputError(
                f"{folder}: holds no finished run ({name} is missing); give a folder that unsee unlearn wrote"
            )
    settings = parse({**read_yaml(folder / "run.yaml"), "out": str(folder)}, str(folder / "run.yaml"))
    benchmark, scores = load_benchmark(settings), read_json(folder / "scores.json")
    records = {
        model: {probe: read_records(folder / "records" / model / f"{probe}.jsonl") for probe in probes}
        for model, probes in scores["models"].items()
    }
    return Run(folder, settings, benchmark, records, scores)


def fingerprint(run: Run) -> str:
    """One digest over the weights and records of a run, by which two runs can be compared."""
    total = hashlib.sha256()
    for path in sorted([*run.model.glob("*.safetensors"), *(run.folder / "records").rglob("*.jsonl")]):
        total.update(json.dumps(str(path.relative_to(run.folder))).encode() + path.read_bytes())
    return total.hexdigest()
