"""The whole comparison: configurations are selected on some people, and reported on others.

Every stage leaves its cells behind and passes over those that are there, so the same command goes on after a kill.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unsee.data import Probe
from unsee.errors import InputError
from unsee.evaluation.criteria import share_right
from unsee.evaluation.fitness import fitness
from unsee.leaderboard import cells, select
from unsee.leaderboard.cells import Cell, Subject, cell
from unsee.leaderboard.grids import BUDGET, NOISE, RETAIN_ONLY, Configuration, Row, with_text_facts
from unsee.leaderboard.grids import rows as make_rows
from unsee.leaderboard.ground import Ground, Setting
from unsee.leaderboard.worlds import Worlds
from unsee.methods import METHODS
from unsee.system.executors import Executor, Local
from unsee.system.files import write_json
from unsee.system.lock import is_free
from unsee.system.typed import read_typed, typed

MARK = "bench.json"
REFERENCES = ("grad_diff", "mmunlearner", "npo")  # whose change random noise is as long as: the first that is there
BASE, GOLD, PROMPT = "base", "gold", "refusing_prompt"
MEASURED: tuple[tuple[str, Subject], ...] = ((BASE, "base"), (GOLD, "gold"), (PROMPT, "prompt"))


@dataclass(frozen=True)
class Plan:
    """What a bench compares.

    Raises:
        InputError: for seeds that are both developed and reported on, or none of either.
    """

    out: Path
    rows: tuple[Row, ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    development: tuple[int, ...] = (100,)
    ground: Ground = field(default_factory=Worlds)

    def __post_init__(self) -> None:
        if both := sorted({*self.seeds} & {*self.development}):
            raise InputError(
                f"seeds: {both[0]} is among the development seeds too; report on what nothing was tuned on"
            )
        if not self.seeds or not self.development:
            raise InputError("seeds: give at least one to report on and one to develop on")
        self.ground.check(self.seeds)

    @property
    def every_seed(self) -> tuple[int, ...]:
        """Those of development first."""
        return (*self.development, *self.seeds)

    def setting(self, seed: int) -> Setting:
        """The setting of a seed."""
        return self.ground.setting(seed, "development" if seed in self.development else "reporting")

    @property
    def references(self) -> list[tuple[str, Subject]]:
        """The models that nothing is trained for, by name: base and gold first."""
        return [(name, subject) for name, subject in MEASURED if subject != "prompt" or self.ground.names]

    def reference(self, seed: int, name: str, subject: Subject) -> Cell:
        """The cell of one of them."""
        return cell(self.out, self.setting(seed).untrained(), name, subject)

    def measured(self) -> list[Cell]:
        """Cells that only measure: base and gold of every setting, the prompt of those reported on."""
        every = [
            self.reference(seed, name, subject)
            for seed in self.every_seed
            for name, subject in self.references
            if subject != "prompt" or seed in self.seeds
        ]
        return list({one.folder: one for one in every}.values())  # seeds may share them

    def tried(self, row: Row, seed: int) -> list[Cell]:
        """A row's configurations in one setting."""
        return [self.of(row, candidate, seed) for candidate in row.configurations]

    def of(self, row: Row, chosen: Configuration, seed: int) -> Cell:
        """One configuration of a row in one setting."""
        return cell(self.out, self.setting(seed), row.name, "method", row.method, chosen, row.code)

    def of_base(self, setting: Setting) -> Cell:
        """The cell of a setting's base."""
        return cell(self.out, setting.untrained(), BASE, "base")

    def shares(self, one: Cell) -> dict[str, float]:
        """Share of right answers of a cell on each probe, of those that count; empty where its training broke.

        Probes of which no answer counts, as the base knew nothing of them, are left out.
        """
        if one.scores.get("failed"):
            return {}
        base = self.of_base(one.setting).records()
        shares = {
            probe: share_right(rows, base[probe], self.ground.role(probe) or "keep")
            for probe, rows in one.records().items()
        }
        return {probe: share for probe, share in shares.items() if not math.isnan(share)}

    def developed(self) -> list[Cell]:
        """All cells that selection looks at, setting by setting."""
        return [trial for seed in self.development for row in self.rows for trial in self.tried(row, seed)]

    def to_dict(self) -> dict[str, Any]:
        """What is compared, as JSON holds it."""
        return {
            **self.ground.to_dict(),
            "seeds": list(self.seeds),
            "development_seeds": list(self.development),
            "budget": len(self.rows[0].configurations),
            "cells": self.count(),
            "rows": [
                {
                    "name": row.name,
                    "kind": row.kind,
                    "method": row.method,
                    "configurations": [candidate.label for candidate in row.configurations],
                }
                for row in self.rows
            ],
            "controls": [BASE, RETAIN_ONLY, NOISE, *([PROMPT] if self.ground.names else []), GOLD],
        }

    def count(self) -> int:
        """How many cells there are in all."""
        noise = len(self.seeds) if reference_row(self.rows) else 0
        return len(self.measured()) + len(self.developed()) + len(self.rows) * len(self.seeds) + noise


def plan(
    out: Path,
    methods: Sequence[str] | None = None,
    budget: int = BUDGET,
    ground: Ground | None = None,
    text_facts: bool = False,
    **more: Any,
) -> Plan:
    """A plan from names of rows; see `Plan` and `unsee.leaderboard.grids.rows`.

    Args:
        out: folder of the bench.
        methods: names of rows; all of this package if not given.
        budget: configurations of each.
        ground: what they are compared on; worlds if not given.
        text_facts: whether every row is there twice; see `unsee.leaderboard.grids.with_text_facts`.
        more: of `Plan`.
    """
    ground = ground or Worlds()
    rows = make_rows(methods, budget, ground.centre)
    return Plan(Path(out), tuple(with_text_facts(rows) if text_facts else rows), ground=ground, **more)


@dataclass(frozen=True)
class Selected:
    """The configuration of a row that is reported."""

    row: Row
    place: int  # among the row's configurations
    distances: Mapping[int, Sequence[float]]  # of each place, by development seed; infinite where training broke

    @property
    def configuration(self) -> Configuration:
        """The configuration itself."""
        return self.row.configurations[self.place]


@dataclass(frozen=True)
class Outcome:
    """Everything that was measured, as cells on disk."""

    plan: Plan
    selected: tuple[Selected, ...]
    reported: Mapping[str, Sequence[Cell]]  # row -> a cell for each seed; base first, gold last of the controls
    kinds: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def bench(plan: Plan, executor: Executor | None = None) -> Outcome:
    """Carry out a plan, or what is missing of it.

    Args:
        plan: what is compared.
        executor: where the cells run; in processes of this machine if not given.

    Raises:
        InputError: when the folder holds something else, or another process is at work there.
    """
    executor = executor or Local()
    check_out(plan)  # before a lock file is put there, and again when nobody else can change it
    with executor.at_work(plan.out, plan.to_dict()):
        check_out(plan)
        write_json(plan.out / MARK, plan.to_dict())
        return _carried_out(plan, executor)


def _carried_out(plan: Plan, executor: Executor) -> Outcome:
    plan.ground.prepare(plan.out, plan.every_seed, executor)
    work = _Work(plan, executor)
    bases = [planned_cell for planned_cell in plan.measured() if planned_cell.subject == "base"]
    work.do(bases, "base models")  # first: what they knew decides what is scored
    check_bases(plan)
    work.do([planned_cell for planned_cell in plan.measured() if planned_cell.subject != "base"], "gold and prompt")
    work.do(plan.developed(), "development")
    selected = tuple(selection(plan, row) for row in plan.rows)
    write_json(plan.out / "selection.json", [_selected_to_dict(choice) for choice in selected])
    chosen = {
        choice.row.name: [plan.of(choice.row, choice.configuration, s) for s in plan.seeds] for choice in selected
    }
    by_seed = [row_cells[place] for place in range(len(plan.seeds)) for row_cells in chosen.values()]
    work.do(by_seed, "reporting")
    noise = _noise(plan, chosen)
    work.do(noise, "noise")
    return _outcome(plan, selected, chosen, noise)


def check_bases(plan: Plan) -> None:
    """InputError where some base does not know what is to go, so that nothing can be forgotten."""
    for base in (one for one in plan.measured() if one.subject == "base"):
        records, source = base.records(), plan.ground.models(base.setting.seed).base
        probes = [Probe(name, (), role=plan.ground.role(name)) for name in records]
        known = fitness(probes, records)
        if known is not None and not known.fit:
            raise InputError(f"{source}: {known.sentence}")
        if not any(plan.ground.role(probe) == "forget" for probe in plan.shares(base)):
            raise InputError(
                f"{source}: unfit, of no fact that is to go it has half of the answers right, word by word"
            )


def check_out(plan: Plan) -> None:
    """InputError unless the folder is free or a bench's own already; other rows and seeds may join later."""
    mark = plan.out / MARK
    if plan.out.exists() and not plan.out.is_dir():
        raise InputError(f"--out {plan.out} is a file; give a folder that does not exist yet")
    if plan.out.is_dir() and not is_free(plan.out) and not mark.is_file():
        raise InputError(f"--out {plan.out} holds other files; give a folder that does not exist yet, or a bench's own")
    if mark.is_file():
        _check_same(plan, read_typed(mark, dict[str, Any], strict=True))


def _check_same(plan: Plan, held: Mapping[str, Any]) -> None:
    for key, value in plan.ground.identity().items():
        typed(held.get(key), type(value), f"{plan.out / MARK}: {key}", strict=True)
        if held[key] != value:
            raise InputError(f"--out {plan.out} holds a bench with {key} {held[key]}, not {value}; give another folder")


class _Work:
    """Hands cells on, and knows how many are done of all."""

    def __init__(self, plan: Plan, executor: Executor) -> None:
        self.plan, self.executor = plan, executor
        self.passed, self.total = 0, plan.count()

    def do(self, wanted: Sequence[Cell], stage: str) -> None:
        """Do what is missing of some cells."""
        missing = [wanted_cell for wanted_cell in wanted if not wanted_cell.done]
        jobs = [
            cells.job(
                missing_cell,
                self.plan.ground.models(missing_cell.setting.seed),
                self.plan.of_base(missing_cell.setting).folder,
                self.plan.out / "masks",
            )
            for missing_cell in missing
        ]
        if jobs:
            self.executor.run(jobs, stage, self.total, self.passed + len(wanted) - len(missing))
        self.passed += len(wanted)


def selection(plan: Plan, row: Row) -> Selected:
    """What the rule of `unsee.leaderboard.select` chooses for a row, from cells that are done."""
    distances: dict[int, list[float]] = {place: [] for place in range(len(row.configurations))}
    for seed in plan.development:
        base, gold = (plan.shares(plan.reference(seed, *which)) for which in MEASURED[:2])
        targets = [probe for probe in base if plan.ground.role(probe) == "forget"]
        for place, tried_cell in enumerate(plan.tried(row, seed)):
            probe_shares = plan.shares(tried_cell)
            distances[place].append(select.distance(probe_shares, base, gold, targets) if probe_shares else math.inf)
    return Selected(row, select.choose(distances, row.configurations), distances)


def _selected_to_dict(choice: Selected) -> dict[str, Any]:
    return {
        "row": choice.row.name,
        "selected": choice.configuration.label,
        "configuration": choice.configuration.to_dict(),
        "distances": {
            choice.row.configurations[place].label: list(by_seed) for place, by_seed in choice.distances.items()
        },
    }


def reference_row(rows: Sequence[Row]) -> str | None:
    """The row whose change random noise is as long as."""
    full = [row.name for row in rows if row.kind == "method"]
    if NOISE not in METHODS:
        return None
    return next((name for name in (*REFERENCES, *full) if name in full), None)


def _noise(plan: Plan, chosen: Mapping[str, Sequence[Cell]]) -> list[Cell]:
    """In each setting, noise as long as what the reference has moved there."""
    reference = reference_row(plan.rows)
    if reference is None:
        return []
    norms = [reference_cell.scores.get("moved") for reference_cell in chosen[reference]]
    return [
        cell(
            plan.out,
            plan.setting(seed),
            NOISE,
            "method",
            NOISE,
            Configuration(
                1e-4, 1, plan.ground.centre.parts, plan.ground.centre.batch_size, hyper_parameters={"norm": norm}
            ),
        )
        for seed, norm in zip(plan.seeds, norms, strict=True)
        if norm is not None
    ]


def _outcome(
    plan: Plan, selected: Sequence[Selected], chosen: Mapping[str, Sequence[Cell]], noise: Sequence[Cell]
) -> Outcome:
    reported: dict[str, Sequence[Cell]] = {
        name: [plan.reference(seed, name, subject) for seed in plan.seeds] for name, subject in plan.references
    }
    if len(noise) == len(plan.seeds):
        reported[NOISE] = list(noise)
    reported |= chosen
    kinds = dict.fromkeys((BASE, GOLD, PROMPT, NOISE), "control") | {row.name: row.kind for row in plan.rows}
    labels = {
        BASE: "nothing done",
        GOLD: "trained without what is to be forgotten",
        PROMPT: "the base, told to say nothing about them",
        NOISE: f"noise as long as the change of {reference_row(plan.rows)}",
        **{choice.row.name: choice.configuration.label for choice in selected},
    }
    return Outcome(plan, tuple(selected), reported, kinds, labels)


def all_cells(outcome: Outcome) -> Iterator[tuple[str, Cell]]:
    """Every cell that has been done, with its role: development or reporting."""
    reported = {outcome.plan.setting(seed).untrained().name for seed in outcome.plan.seeds}
    for done_cell in outcome.plan.measured():
        yield ("reporting" if done_cell.setting.name in reported else "development"), done_cell
    for done_cell in outcome.plan.developed():
        yield "development", done_cell
    for name, row_cells in outcome.reported.items():
        if name not in (BASE, GOLD, PROMPT):
            for done_cell in row_cells:
                yield "reporting", done_cell
