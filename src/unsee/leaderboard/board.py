"""The whole comparison: configurations are selected on some people, and reported on others.

Every stage leaves its cells behind and passes over those that are there, so the same command goes on after a kill.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from unsee.data import Probe
from unsee.errors import InputError
from unsee.evaluation.fitness import fitness
from unsee.leaderboard import cells, select
from unsee.leaderboard.cells import Cell, cell
from unsee.leaderboard.grids import NOISE, Configuration, Row
from unsee.leaderboard.plan import BASE, GOLD, MEASURED, PROMPT, Plan, reference_row
from unsee.system.executors import Executor, Local
from unsee.system.files import write_json
from unsee.system.lock import is_free
from unsee.system.typed import read_typed, typed

MARK = "bench.json"


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
