"""A model with the rows of a benchmark, or of a user, as the ground of a bench: the same people in every training.

What a cell is trained on is the same in all of them: everything that is to be forgotten. Its people are halved, and a
cell of development asks about one half, a cell of reporting about the other (`unsee.leaderboard.halves`).
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from unsee.benchmarks import find
from unsee.benchmarks.spec import BenchmarkSpec
from unsee.data import digest
from unsee.data.example import Role
from unsee.errors import InputError
from unsee.evaluation.measure import check_probe
from unsee.evaluation.records import Record
from unsee.leaderboard import planned_words as words
from unsee.leaderboard.cells import SCORES
from unsee.leaderboard.grids import Centre, Row
from unsee.leaderboard.ground import Models, Stage
from unsee.leaderboard.half import Half
from unsee.leaderboard.halves import Halves, halve
from unsee.leaderboard.paper import published
from unsee.leaderboard.place import Base, Place, Rows, Trial, run_values
from unsee.leaderboard.plan import Plan, plan
from unsee.leaderboard.plan_file import PlanFile
from unsee.leaderboard.planned_rows import names_of, request_of, rows_of
from unsee.runs.sets import check_needs
from unsee.runs.settings import Settings, parse
from unsee.runs.stopping import check_stop
from unsee.runs.supervised.folder import NAME as TRAINING
from unsee.runs.supervised.folder import check_folder, is_begun
from unsee.runs.supervised.pace import pace_of
from unsee.runs.supervised.settings import TrainSettings
from unsee.runs.supervised.settings import parse as parse_training
from unsee.system.executors import Executor
from unsee.system.files import write_json
from unsee.system.workers import Job
from unsee.types import Request
from unsee.vlm import LoadedModel
from unsee.vlm.encoding import Encoder

PLAN = "plan.json"  # what workers read: the plan with whole paths
RATES = (0.3, 1.0, 3.0)  # times the learning rate of the settings
OF_ADAPTERS = 10.0  # times the rate of weights is that of adapters, as the defaults of runs have it
MADE = ("base", "gold")


def on_plan(told: PlanFile, out: Path) -> Plan:
    """The bench of a plan.

    Args:
        told: as `unsee.leaderboard.plan_file` reads it.
        out: folder of the bench.

    Raises:
        InputError: rows, settings or methods cannot be used, or do not go together.
    """
    seeds = {"seeds": told.seeds, "development": told.development_seeds}
    ground = Planned(told, out)
    ground.check_made()
    made = plan(out, told.methods, told.budget, ground, told.text_facts, **seeds)
    ground.check_rows(made.rows)
    return made


class Planned:
    """The ground of a plan.

    Args:
        told: as `unsee.leaderboard.plan_file` reads it.
        out: folder of the bench.

    Raises:
        InputError: rows or settings cannot be used.
    """

    crossed = True

    def __init__(self, told: PlanFile, out: Path) -> None:
        self.plan, self.out = told, out
        self.sets, self.notes = rows_of(told)
        self.request: Request = request_of(self.sets)
        self.halves: Halves = halve(self.sets)
        self._roles = {probe.name: probe.role for probe in self.sets.probes}
        self._fingerprints: dict[str, str] = {}

    # --- what there is

    @cached_property
    def spec(self) -> BenchmarkSpec | None:
        """Of the benchmark; None for rows of one's own."""
        return find(self.plan.benchmark.name) if self.plan.benchmark else None

    @cached_property
    def rows_digest(self) -> str:
        """Of everything that is trained on or asked."""
        sets = self.sets
        parts = [digest(rows) for rows in (sets.forget, sets.retain, sets.preserve, sets.learned)]
        parts += [f"{probe.name} {probe.role} {digest(probe.examples)}" for probe in sets.probes]
        return _short(parts)

    @cached_property
    def prompted_names(self) -> tuple[str, ...]:
        """Those whom a prompt names."""
        return names_of(self.sets)

    @property
    def names(self) -> bool:
        """Whether a prompt can name those who are to be forgotten."""
        return bool(self.prompted_names)

    def role(self, probe: str) -> Role | None:
        """As the benchmark has it."""
        return self._roles.get(probe)

    def models(self, seed: int | None) -> Models:
        """The same for every seed."""
        return Models(*(getattr(self.plan, name) or str((self.out / name / "model").absolute()) for name in MADE))

    def made(self) -> list[str]:
        """Which of base and gold have to be made."""
        return [name for name in MADE if not getattr(self.plan, name)]

    def training(self, name: str) -> TrainSettings:
        """Settings of the training that makes base or gold.

        Raises:
            InputError: one is out of range.
        """
        values = {**self.plan.train, "model": self.plan.model, "out": str(self.out / name)}
        return parse_training(values, "plan: train")

    def check_made(self) -> None:
        """InputError where base or gold cannot be made as the plan says, or was made in another way before."""
        for name in self.made():
            training, folder = self.training(name), self.out / name
            try:
                check_folder(folder, training, overwrite=False)
            except InputError as error:
                if not is_begun(folder):
                    raise
                raise InputError(
                    f"{folder}: was made from another model or with other settings than the plan says now "
                    f"(see {folder / TRAINING}); remove it, give it as {name}, or give another --out"
                ) from error

    # --- settings of cells

    def common(self) -> dict[str, Any]:
        """Settings of every run."""
        models = self.models(None)
        values: dict[str, Any] = {"model": models.base, "forget": "rows of the plan", **self.plan.settings}
        if self.spec and self.spec.max_new_tokens and "max_new_tokens" not in values:
            values["max_new_tokens"] = self.spec.max_new_tokens
        if self.plan.stop is not None:
            values |= {"stop": self.plan.stop, "gold": models.gold}
        return values

    @cached_property
    def resolved(self) -> Settings:
        """The settings with all defaults, those of a method apart.

        Raises:
            InputError: one is unknown or out of range.
        """
        settings = parse({**self.common(), "out": str(self.out)}, "plan: settings")
        check_stop(settings)
        return settings

    @cached_property
    def centre(self) -> Centre:
        """The settings' own rate and number of steps."""
        settings = self.resolved
        rates = tuple(float(f"{times * settings.learning_rate:.2g}") for times in RATES)
        of_adapters = rates if settings.lora else tuple(float(f"{OF_ADAPTERS * rate:.2g}") for rate in rates)
        return Centre(
            rates, of_adapters, self._steps(), settings.parts, settings.batch_size, adapters=settings.lora is not None
        )

    def _steps(self) -> int:
        """Optimizer steps of a run with the settings."""
        from unsee.runs.trainer import config

        settings = self.resolved
        if settings.max_steps:
            return settings.max_steps
        arguments = config(settings, self.out)
        rows_per_step = settings.batch_size * settings.gradient_accumulation
        steps = math.ceil(arguments.num_train_epochs * len(self.sets.forget) / rows_per_step)
        return max(steps, arguments.least_steps)

    # --- the ground of a bench

    def check(self, seeds: Sequence[int]) -> None:
        """InputError for rows that the model cannot be trained on, or asked, before anything is trained.

        Raises:
            InputError: a model that is given cannot be loaded either.
        """
        from unsee.vlm.load import outline

        told = self.plan
        sources = [told.base, told.gold] + ([told.model] if self.made() else [])  # every row is asked of base and gold
        for source in filter(None, sources):
            self._check_rows_of(outline(source, trust_remote_code=self.resolved.trust_remote_code).encoder)

    def _check_rows_of(self, encoder: Encoder) -> None:
        """InputError for a row that an encoder cannot take."""
        for name in ("forget", "retain", "preserve", "learned"):
            encoder.check(getattr(self.sets, name), name)
        for probe in self.sets.probes:
            check_probe(encoder, probe, f"probe {probe.name}", self.resolved.max_new_tokens)

    def check_rows(self, rows: Sequence[Row]) -> None:
        """InputError for a method without the rows that it needs, or settings that it does not go with."""
        for row in rows:
            for chosen in row.configurations:
                settings = parse(run_values(self.common(), row.method, chosen, 0, self.out), f"plan: {row.name}")
            check_needs(settings, self.sets)

    def identity(self) -> dict[str, Any]:
        """Rows and request; models and settings make other cells."""
        return {"request": self.request, "rows_digest": self.rows_digest}

    def to_dict(self) -> dict[str, Any]:
        """The plan with what was found."""
        halves = {
            stage: {"forget_people": forgotten, "other_people": others}
            for stage, (forgotten, others) in self.halves.people.items()
        }
        rows = {name: len(getattr(self.sets, name)) for name in ("forget", "retain", "preserve")}
        return {
            "model": self.plan.model,
            **dict(zip(("base", "gold"), self.models(None), strict=True)),
            "made": self.made(),
            "data": self.sets.name,
            "request": self.request,
            "rows_digest": self.rows_digest,
            "training_rows": rows,
            "probe_rows": {probe.name: len(probe) for probe in self.sets.probes},
            "roles": self._roles,
            "trained_on": [probe.name for probe in self.sets.probes if probe.trained_on],
            "halves": halves,
            "notes": list(self.notes),
            "settings": self.plan.settings,
            "stop": self.plan.stop,
        }

    def setting(self, seed: int, stage: Stage) -> Half:
        """One half of the people, after a training with a seed."""
        models = self.models(None)
        own = {key: value for key, value in self.common().items() if key not in ("model", "gold", "forget")}
        what = [self.rows_digest, *map(self._fingerprint, models), own, stage]
        return Half(stage, seed, _short(what), str((self.out / PLAN).absolute()))

    def _fingerprint(self, source: str) -> str:
        """Of the weights of a model; empty for one that is not there yet."""
        from unsee.vlm.pretrained import fingerprint

        if os.path.isabs(source) and not os.path.isdir(source):
            return ""
        if source not in self._fingerprints:
            self._fingerprints[source] = fingerprint(source)
        return self._fingerprints[source]

    def prepare(self, out: Path, seeds: Sequence[int], executor: Executor) -> None:
        """Write down the plan, and have base and gold made where they are not given."""
        write_json(self.out / PLAN, self.plan.model_dump(mode="json", exclude_none=True))
        plan, outcomes = str((self.out / PLAN).absolute()), {name: self.out / name / SCORES for name in self.made()}
        jobs = [
            Job("unsee.leaderboard.planned_work:make_model", {"plan": plan, "name": name}, str(outcome))
            for name, outcome in outcomes.items()
            if not outcome.is_file()
        ]
        if jobs:
            executor.run(jobs, " and ".join(job.arguments["name"] for job in jobs), len(jobs))

    def place(self, half: Half, base: Base) -> Place:
        """A half as a worker has it open."""
        models, seed = self.models(None), half.seed or 0
        of_masks: dict[str, Any] = {"rows": self.rows_digest, "model": self._fingerprint(models.base)}
        of_masks |= {"settings": self.plan.settings, "stop": self.plan.stop}
        if self.resolved.lora or self.plan.stop is not None:  # fresh adapters and held-out rows are drawn
            of_masks["seed"] = seed
        rows = Rows(self.sets, self.halves.probes[half.stage], self.prompted_names, self.halves.probes["reporting"])
        return Place(rows, base, models.gold, self.common(), seed, of_masks)

    def trial(self) -> Trial:
        """The base, or where it has yet to be made, the model that it is made of; without `stop`."""
        base = self.models(None).base
        missing = [name for name in self.made() if not os.path.isdir(getattr(self.models(None), name))]
        source = self.plan.model if "base" in missing else base
        common = {key: value for key, value in self.common().items() if key not in ("stop", "gold")}
        rows = Rows(self.sets, self.halves.probes["reporting"], self.prompted_names)
        place = Place(rows, Base(), "", {**common, "model": source}, 0, {})
        asked: dict[str, int] = {stage: sum(map(len, probes)) for stage, probes in self.halves.probes.items()}

        def steps(loaded: LoadedModel) -> dict[str, int]:
            of = {"base": self.sets.base_rows, "gold": self.sets.gold_rows}
            return {name: pace_of(self.training(name), loaded, of[name]).steps for name in missing}

        return Trial(place, asked, steps)

    # --- in words

    def told(self, development: Sequence[int], seeds: Sequence[int]) -> tuple[str, str, str]:
        """See `unsee.leaderboard.ground.Ground`."""
        tried = words.asked_about(self.halves, development, "development")
        measured = words.asked_about(self.halves, seeds, "reporting")
        what = words.what_is_to_go(self.sets, self.plan.stop, self.notes)
        return (what, tried, f"{measured}, by whom nothing was chosen")

    def asked(self) -> str:
        """See `unsee.leaderboard.ground.Ground`."""
        return words.asked(self.sets)

    def limits(self) -> list[str]:
        """See `unsee.leaderboard.ground.Ground`."""
        return words.limits(self.halves, self.names)

    def command(self) -> list[str]:
        """The plan; where it lies is the reader's business."""
        return ["PLAN.yaml"]

    # --- the paper's numbers

    def published(
        self, records: Mapping[str, Sequence[Record]], gold: Mapping[str, Sequence[Record]]
    ) -> Iterator[tuple[str | None, str, float | None, int | None]]:
        """Probe, metric, score and rows of each number of the benchmark's paper; nothing for rows of one's own.

        Args:
            records: of one model, by probe.
            gold: of gold, on the same.
        """
        return published(self.spec, records, gold)


def _short(what: Any) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]
