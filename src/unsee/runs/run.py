"""One unlearning from settings to a run folder: load, check, measure, train, save, measure again, report.

Every stage leaves a file behind and is passed over when that file is there, so an interrupted run that is started
again with the same settings goes on where it was and ends with the same bytes. Nothing is written before everything
that was given has been checked.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import set_seed

from unsee.data import Benchmark, Example, Probe, check_sets, load_examples
from unsee.data.example import Role
from unsee.data.overlap import role_by_subject
from unsee.errors import InputError
from unsee.evaluation.after import Earlier
from unsee.evaluation.compared import COMPARED, compared
from unsee.evaluation.hallucination import check_objects
from unsee.evaluation.measure import check_numbers, check_probe, measure_all
from unsee.evaluation.records import Record, read_records
from unsee.evaluation.results import VERSION, Facts, RunScores, read_scores, values_of
from unsee.evaluation.span_likelihood import moved_spans, span_likelihood
from unsee.evaluation.unreadable import LeftOut, find_unreadable, rows_of, without
from unsee.methods.gate import check_preserved, gate_of
from unsee.methods.method import needs_of, without_retain
from unsee.runs.advice import advise
from unsee.runs.base_once import check_base_records, has_base, take_over, taken_over
from unsee.runs.folder import check_folder, drop_checkpoints, fail_folder, is_begun, start_folder
from unsee.runs.gold import GOLD, check_gold_model, check_gold_records, gold_records, known_gold
from unsee.runs.recalled import recall
from unsee.runs.settings import EPOCHS, LEAST_STEPS, Settings, kept_card, parse, read_yaml
from unsee.runs.taken_over import read_mark
from unsee.system import processes, progress
from unsee.system.atomic import whole_folder
from unsee.system.files import write_json
from unsee.system.launch import check_launch
from unsee.system.lock import locked
from unsee.system.typed import read_typed
from unsee.training.checkpoints import latest_checkpoint
from unsee.training.config import UnlearnConfig
from unsee.training.guard import Watch, watched
from unsee.training.trainer import UnlearnTrainer
from unsee.types import PARTS
from unsee.vlm import LoadedModel, LoraOptions, load, part_of_parameters, trainable_per_part
from unsee.vlm.adapters import moving_adapters
from unsee.vlm.change import Start
from unsee.vlm.save import save

Records = dict[str, list[Record]]  # by probe

_PROBES_BY_ITSELF: dict[str, Role] = {"forget": "forget", "retain": "keep"}  # of a run that is given none


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, and what is in it."""

    folder: Path
    settings: Settings
    benchmark: Benchmark
    records: dict[str, Records]  # "base" and the method
    scores: RunScores
    lost: Sequence[str] = ()  # why data could not be read again, a line each; the records hold what was asked

    @property
    def model(self) -> Path:
        """The unlearned checkpoint or adapter."""
        return self.folder / "model"


def unlearn(
    settings: Settings, base_records: Path | None = None, overwrite: bool = False, share_base: bool = True
) -> Run:
    """Carry out a run, or finish one that was interrupted.

    Args:
        settings: as `unsee.runs.settings.parse` gives them.
        base_records: a run on the same base and probes, or its records, to save measuring again.
        overwrite: start anew, whatever run the folder holds.
        share_base: take over what a run beside this one has measured of the same base; see `unsee.runs.base_once`.

    Raises:
        InputError: when anything that was given is wrong, and nothing has been written then; or another process is at
            work in the folder.
    """
    check_launch()
    processes.join()
    folder = Path(settings.out)
    check_folder(folder, settings, overwrite)  # before a lock file is there, and again when nobody else can change it
    with locked(folder):
        check_folder(folder, settings, overwrite)
        # The pictures of a run that goes on were looked at when it began, and are the same by their digests.
        goes_on = not overwrite and is_begun(folder)
        benchmark = load_benchmark(settings, check_images=not goes_on)
        check_needs(settings, benchmark)
        loaded, readable = _start(folder, settings, benchmark, overwrite, base_records)
        if base_records is not None or share_base:
            processes.once(lambda: take_over(folder, base_records, readable.probes))
        clock = Clock(folder / "checkpoints" / "seconds.json")
        base = _base_to_model(folder, settings, readable, loaded, clock)
        del loaded  # its memory is free again
        if not settings.keep_checkpoints:
            processes.once(lambda: drop_checkpoints(folder))
        try:
            return _measured(folder, settings, benchmark, base, clock)
        except torch.OutOfMemoryError as error:
            raise InputError(
                "too little memory to measure the model, which is written; start again with a smaller eval_batch_size"
            ) from error


def _measured(folder: Path, settings: Settings, benchmark: Benchmark, base: Records, clock: Clock) -> Run:
    """Measure the model of a run, and gold where there is one, and write the scores."""
    name = settings.card.name
    after, unreadable = _measure_model(folder, settings, benchmark, clock)
    benchmark = without(benchmark, unreadable)
    found = {"base": base}
    if known_gold(folder, settings):
        gc.collect()  # gold comes in the place of the model
        found[GOLD] = clock("measure gold", lambda: gold_records(folder, settings, benchmark.probes))
    found[name] = after
    facts: Facts = read_typed(folder / "checkpoints" / "training.json", Facts)
    seen = compared(benchmark, found, {name: facts.moved}, settings.seed, settings.lexicon, _earlier(settings))
    scores = RunScores(
        version=VERSION,
        method=name,
        **values_of(seen),
        trained_on=[probe.name for probe in benchmark.probes if probe.trained_on],
        unreadable=unreadable,
        taken_over=taken_over(folder),
        seconds=clock.seconds,
        **values_of(facts),
    )
    scores = scores.model_copy(update={"advice": advise(scores, settings)})
    processes.once(lambda: write_json(folder / "scores.json", scores.to_dict()))
    return Run(folder, settings, benchmark, found, scores)


def _measure_model(folder: Path, settings: Settings, benchmark: Benchmark, clock: Clock) -> tuple[Records, LeftOut]:
    """What the model of a run says, and which captions it could not read."""
    gc.collect()  # trainers hold themselves and their model in circles
    # Loaded anew although it was in memory a moment ago: what is measured is what lies in the folder.
    loaded = load(
        folder / "model",
        dtype=settings.dtype,
        quantize=settings.quantize,
        trust_remote_code=settings.trust_remote_code,
    )
    unreadable = find_unreadable(benchmark, loaded.encoder)
    asked = without(benchmark, unreadable)
    return clock("measure", lambda: _measure(folder, settings, asked, loaded, settings.card.name)), unreadable


def load_benchmark(settings: Settings, check_images: bool = True) -> Benchmark:
    """The data of a run, checked. Without probes, the training rows themselves are measured, and marked so.

    Args:
        settings: of the run.
        check_images: decode every picture once.

    Raises:
        InputError: a source or a row cannot be used, or the sets do not go together.
    """
    sets = {
        role: load_examples(source, check_images=check_images) if (source := getattr(settings, role)) else []
        for role in ("forget", "retain", "preserve")
    }
    probes = [
        _probe(name, load_examples(source, check_images=check_images), role, sets["forget"], settings)
        for name, (source, role) in settings.every_probe.items()
    ]
    if not probes:
        asked = [(name, role) for name, role in _PROBES_BY_ITSELF.items() if sets[name]]
        probes = [Probe(name, sets[name], trained_on=True, role=role) for name, role in asked]
    if earlier := _earlier(settings):
        taken = {probe.name for probe in probes} & {probe.name for probe in earlier.probes}
        if taken:
            raise InputError(f"after: a probe is named {min(taken)} already; give it another name")
        probes += earlier.probes
    check_sets(sets["forget"], sets["retain"], probes, sets["preserve"])
    check_objects(probes, settings.lexicon)
    return Benchmark(settings.forget, sets["forget"], sets["retain"], sets["preserve"], probes)


def check_needs(settings: Settings, benchmark: Benchmark) -> None:
    """InputError unless the method of a run has the rows that it trains on, and its mask those that it protects."""
    method = settings.built_method
    needs, kept = needs_of(method), [*benchmark.retain, *benchmark.preserve]
    if needs.retain and not benchmark.retain:
        raise InputError(f"{method.name} trains on retain rows and none are given; {without_retain(method)}")
    if (settings.gate or needs.saliency) and not kept:
        raise InputError("a saliency mask needs rows that it protects; add --retain FILE or --preserve FILE")
    if gate := gate_of(method, settings.gate):
        check_preserved(gate, settings.parts, benchmark.forget, kept)


def _earlier(settings: Settings) -> Earlier | None:
    """What the run that this one comes after was to remove, with its records."""
    if settings.after is None:
        return None
    run = open_run(Path(settings.after))
    if run.lost:
        raise InputError(f"after: {settings.after} cannot be asked again: {run.lost[0]}")
    result = run.records[run.settings.card.name]
    return Earlier.of(run.benchmark.probes, run.records["base"], result, settings.after)


def _probe(name: str, rows: list[Example], role: Role | None, forget: list[Example], settings: Settings) -> Probe:
    """A probe with the role that was said, or else found."""
    role = role or role_by_subject(rows, forget, settings.request)
    return Probe(name, rows, trained_on=name in settings.trained_on, role=role)


def load_model(settings: Settings) -> LoadedModel:
    """The model of a run, frozen but for the parts that may move."""
    set_seed(settings.seed)  # adapters start from random weights
    lora = LoraOptions(**settings.lora.model_dump()) if settings.lora else None
    loaded = load(
        settings.model,
        dtype=settings.dtype,
        parts=settings.parts,
        lora=lora,
        quantize=settings.quantize,
        trust_remote_code=settings.trust_remote_code,
    )
    if not any(weight.requires_grad for weight in loaded.model.parameters()):
        raise InputError(f"parts: no weight of {settings.model} is in {', '.join(settings.parts)}; choose other parts")
    if settings.l1:
        moving_adapters(loaded.model)  # now, and not after the base has been measured
    return loaded


def _start(
    folder: Path, settings: Settings, benchmark: Benchmark, overwrite: bool, base_records: Path | None
) -> tuple[LoadedModel, Benchmark]:
    """Check everything that was given; then, and not before, write to the folder. The model, and what it can read."""
    check_gold_model(folder, settings, benchmark)
    gc.collect()  # gold's memory is free before the model is loaded
    loaded = load_model(settings)
    unreadable = find_unreadable(benchmark, loaded.encoder)
    for role in ("forget", "retain", "preserve"):
        loaded.encoder.check(getattr(benchmark, role), str(getattr(settings, role)), rows_of(unreadable, role))
    asked = settings.every_probe
    for probe in benchmark.probes:
        rows = rows_of(unreadable, f"probe {probe.name}")
        named = asked[probe.name][0] if probe.name in asked else probe.name
        check_probe(loaded.encoder, probe, named, settings.max_new_tokens, rows)
    benchmark = without(benchmark, unreadable)
    check_gold_records(settings, benchmark.probes)
    goes_on = not overwrite and is_begun(folder) and has_base(folder, benchmark.probes)
    if base_records is not None and not goes_on:
        check_base_records(base_records, settings, benchmark, loaded)
    processes.wait()  # until all have seen the folder as it was
    processes.once(lambda: start_folder(folder, settings, benchmark, loaded, overwrite))
    return loaded, benchmark


def _base_to_model(
    folder: Path,
    settings: Settings,
    benchmark: Benchmark,
    loaded: LoadedModel,
    clock: Clock,
) -> Records:
    """Measure the model and train it."""
    try:
        base: Records = clock("measure base", lambda: _measure(folder, settings, benchmark, loaded, "base"))
        if not processes.agreed((folder / "model").is_dir()):
            clock("unlearn", lambda: _train(folder, settings, benchmark, loaded))
    except (InputError, torch.OutOfMemoryError, FloatingPointError) as error:
        # A picture that the processor refuses, a threshold that no weight passes, a batch too large, a loss that is no
        # number: known only now. A full disk is nothing that was given wrong.
        wrong = isinstance(error, InputError) and not isinstance(error.__cause__, OSError)
        if processes.is_main():
            fail_folder(folder, error, wrong)
        if isinstance(error, InputError):
            raise
        if isinstance(error, FloatingPointError):
            raise InputError(f"{error}; choose a smaller learning_rate than {settings.learning_rate:g}") from error
        raise InputError(
            f"{loaded.device} has too little memory; choose a smaller batch_size, saliency_batch_size or "
            "eval_batch_size, or --lora"
        ) from error
    return base


def _measure(folder: Path, settings: Settings, benchmark: Benchmark, loaded: LoadedModel, name: str) -> Records:
    found = measure_all(
        loaded, benchmark.probes, folder / "records" / name, settings.eval_batch_size, settings.max_new_tokens
    )
    for records in found.values():
        check_numbers(records, settings.model if name == "base" else f"{folder / 'model'}")
    return found


def _train(folder: Path, settings: Settings, benchmark: Benchmark, loaded: LoadedModel) -> None:
    """Train, and write the model; the folder `model` appears when it is whole."""
    checkpoints = folder / "checkpoints"
    checkpoints.mkdir(parents=True, exist_ok=True)
    last, start = latest_checkpoint(checkpoints), Start.of(loaded.model)
    method = settings.built_method
    watch = watch_of(settings, benchmark, loaded, spans=method.needs.spans)
    likely = partial(span_likelihood, loaded, benchmark.forget, settings.eval_batch_size)
    before = likely() if method.needs.spans else None
    trainer = UnlearnTrainer(
        loaded,
        config(settings, checkpoints),
        method=method,
        forget=benchmark.forget,
        retain=benchmark.retain,
        preserve=benchmark.preserve,
        gate=settings.gate,
        callbacks=[watch] if watch else None,
    )
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
        "unread": sorted(loaded.unread),
        "moved": start.moved(loaded.model),
    }
    if before:
        facts["spans"] = moved_spans(len(benchmark.forget), before, likely())
    if watch:
        facts |= {"watched": watch.looks, "stopped": asdict(watch.stopped) if watch.stopped else None}
    elif settings.guard:
        facts |= {"watched": [], "stopped": None}  # no row that should stay: see `unsee.training.guard.UNWATCHED`
    if trainer.is_world_process_zero():
        write_json(checkpoints / "training.json", facts)
        with whole_folder(folder / "model") as temporary:
            save(loaded, temporary)
    trainer.accelerator.wait_for_everyone()


def watch_of(settings: Settings, benchmark: Benchmark, loaded: LoadedModel, spans: bool) -> Watch | None:
    """The guard of a run, where it has one and there is something to watch."""
    guard = settings.guard
    examples = watched(spans, benchmark.forget, benchmark.retain, guard.rows) if guard else []
    if guard is None or not examples:
        return None
    return Watch(loaded.encoder, examples, guard.drop, guard.every, settings.eval_batch_size)


def config(settings: Settings, folder: Path) -> UnlearnConfig:
    """The trainer's arguments of a run."""
    return UnlearnConfig(
        output_dir=str(folder),
        learning_rate=settings.learning_rate,
        num_train_epochs=settings.epochs or EPOCHS,
        least_steps=0 if settings.epochs else LEAST_STEPS,
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


def _densities(trainer: UnlearnTrainer) -> dict[str, dict[str, float]]:
    """Of each part's trainable weights the share that the forget set reaches, and of these the share that passes."""
    mask = trainer.mask
    if mask is None:
        return {}
    part_of = part_of_parameters(trainer.policy_model)
    names = {part: [name for name in mask.bits if part_of[name] == part] for part in PARTS}
    return {part: {"passing": mask.density(of), "reached": mask.reach(of)} for part, of in names.items() if of}


class Clock:
    """Seconds that each stage took, kept in a file so that a resumed run knows about the stages before."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seconds: dict[str, float] = read_typed(path, dict[str, float]) if path.is_file() else {}

    def __call__(self, stage: str, work: Callable[[], Any]) -> Any:
        """Do some work and note how long it took, on top of what the stage took before."""
        started = time.perf_counter()
        with progress.stage(stage):
            outcome = work()
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + time.perf_counter() - started, 3)
        if processes.is_main():
            write_json(self.path, self.seconds)
        return outcome


def open_run(folder: Path) -> Run:
    """Read a finished run again, for a report.

    Its data need not be where they were: what was asked and said is in its records; see `unsee.runs.recalled`.

    Raises:
        InputError: when the folder holds no finished run.
    """
    if not os.path.isdir(folder):
        raise InputError(f"{folder}: no such folder; give one that unsee unlearn wrote")
    for name in ("run.yaml", "scores.json"):
        if not (folder / name).is_file():
            raise InputError(
                f"{folder}: holds no finished run ({name} is missing); give a folder that unsee unlearn wrote"
            )
    stored = {**read_yaml(folder / "run.yaml"), "out": str(folder)}
    if source := read_mark(folder / "records" / GOLD).get("source"):
        stored["gold"] = source  # which may have been added later
    settings = parse(stored, str(folder / "run.yaml"), kept_card(folder / "run.yaml"))
    scores = read_scores(folder / "scores.json")
    records = {
        model: {probe: read_records(folder / "records" / model / f"{probe}.jsonl") for probe in probes}
        for model, probes in scores.models.items()
    }
    _check_complete(scores, settings, folder / "scores.json")
    if not scores.knows(*COMPARED):
        benchmark = without(load_benchmark(settings, check_images=False), scores.unreadable)
        seen = compared(benchmark, records, {}, settings.seed, settings.lexicon, _earlier(settings))
        scores = scores.model_copy(update=values_of(seen))
    if not scores.knows("advice"):
        scores = scores.model_copy(update={"advice": advise(scores, settings)})
    benchmark, lost = recall(settings, scores, records["base"], _asked_earlier(settings))
    return Run(folder, settings, benchmark, records, scores, lost)


def _asked_earlier(settings: Settings) -> dict[str, Sequence[Example]]:
    """The rows that an earlier run asked, by probe; none where it has gone, as the records hold what was asked."""
    try:
        earlier = _earlier(settings)
    except InputError:
        return {}
    return {probe.name: probe.examples for probe in earlier.probes} if earlier else {}


def _check_complete(scores: RunScores, settings: Settings, path: Path) -> None:
    """InputError unless scores are about both models of a run and all of its probes, as far as they were looked at."""
    models = {"base", settings.card.name}
    probes = set(settings.every_probe) or {role for role in _PROBES_BY_ITSELF if getattr(settings, role)}
    held = {f"models.{model}": (set(scores.models[model]), probes) for model in models & set(scores.models)}
    held["models"] = (set(scores.models), models)
    wanted = {"judged": models, "condition": {settings.card.name}, "pictures": probes, "roles": probes}
    held |= {field: (set(getattr(scores, field)), names) for field, names in wanted.items() if scores.knows(field)}
    for field, (names, due) in held.items():
        if missing := sorted(due - names):
            raise InputError(f"{path}: {field}: lacks {missing[0]}; the file is not as it was written")


def fingerprint(run: Run) -> str:
    """One digest over the weights and records of a run, by which two runs can be compared."""
    total = hashlib.sha256()
    for path in sorted([*run.model.glob("*.safetensors"), *(run.folder / "records").rglob("*.jsonl")]):
        total.update(json.dumps(str(path.relative_to(run.folder))).encode() + path.read_bytes())
    return total.hexdigest()
