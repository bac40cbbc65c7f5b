"""Tune the methods on the embedded world: every method, the same number of configurations, seeds kept for tuning.

    python experiments/tune_world.py --seeds 100 101 102 --out tuning.jsonl
    python experiments/tune_world.py --seeds 100 --methods npo mmunlearner --configs language --out tuning.jsonl
    python experiments/tune_world.py --seeds 100 101 102 --configs tuned --out tuning.jsonl

A cell is one method in one configuration on one seed: 3 of 30 people are forgotten by sight, from a copy of the same
base, and the held-out probes are measured. Cells are appended to the output file as they finish, and those that it
holds already are not run again; tables and selection are made from the file alone.

Rates are constant, and which rows meet at which step does not depend on the length of a run. Configurations that
differ in their number of steps alone are therefore one training, measured on its way.

Selection, the same for every method: among the configurations whose forget_vqa is at most gold + 0.10 on every seed,
the one with the best worst case (over seeds) of retain_vqa, celebrity_vqa, forget_qa, retain_qa and scenes relative to
the base; when none forgets enough, the one whose worst forget_vqa is lowest.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState
from typing_extensions import Doc

from unsee.data.example import Benchmark
from unsee.evaluation.criteria import FORGET_MARGIN
from unsee.evaluation.measure import measure_all
from unsee.evaluation.records import Record
from unsee.evaluation.scores import score
from unsee.losses import cross_entropy
from unsee.methods import Method, Reference, Term, UnlearnBatch, build
from unsee.methods.grad_diff import GradDiff
from unsee.methods.method import NonNegative, forget_of, retain_of
from unsee.methods.mmunlearner import MMUnlearner
from unsee.training.config import UnlearnConfig
from unsee.training.trainer import UnlearnTrainer
from unsee.types import PARTS, Part
from unsee.vlm import LoadedModel, load
from unsee.vlm.parts import freeze_other_parts
from unsee.vlm.policy import Policy
from unsee.world.models import prepare
from unsee.world.tuned import TUNED, Settings
from unsee.world.world import World

FORGET = 0.10  # of the private people
KEPT = ("retain_vqa", "celebrity_vqa", "forget_qa", "retain_qa")  # and scenes, relative to the base
COLUMNS = ("forget_vqa", "forget_qa", "retain_vqa", "retain_qa", "celebrity_vqa", "celebrity_qa", "scenes")
MEASURED = ("base", "gold")  # models that are only measured
ANSWER_TOKENS = 16  # the longest answer has fewer
SALIENCY_ROWS = 16  # a squared gradient


# --- what is tried


@dataclass(frozen=True)
class CappedGradDiff(GradDiff):
    """`grad_diff` that lets go of an answer once it is unlikely enough, as a variant to compare with."""

    name: ClassVar[str] = "grad_diff_capped"

    ceiling: Annotated[NonNegative, Doc("nats a token above which a forget answer is left alone")] = 1.0

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """-min(CE, ceiling)(forget) + CE(retain), each weighted."""
        yield from _capped(self, batch, policy)


@dataclass(frozen=True)
class CappedMMUnlearner(MMUnlearner):
    """`mmunlearner` that lets go of an answer once it is unlikely enough, as a variant to compare with."""

    name: ClassVar[str] = "mmunlearner_capped"

    ceiling: Annotated[NonNegative, Doc("nats a token above which a forget answer is left alone")] = 1.0

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """-min(CE, ceiling)(forget) through the mask + CE(retain) past it, each weighted."""
        yield from _capped(self, batch, policy)


def _capped(method: CappedGradDiff | CappedMMUnlearner, batch: UnlearnBatch, policy: Policy) -> Iterator[Term]:
    forget = cross_entropy(*policy.token_log_probs(forget_of(batch))).clamp(max=method.ceiling).mean()
    yield Term("forget", -method.forget_weight * forget)
    retain = cross_entropy(*policy.token_log_probs(retain_of(batch))).mean()
    yield Term("retain", method.retain_weight * retain)


VARIANTS: dict[str, Callable[..., Method]] = {
    "grad_diff_capped": CappedGradDiff,
    "mmunlearner_capped": CappedMMUnlearner,
}

STEPS = (20, 40, 60)
_PLACES: Mapping[str, tuple[Part, ...]] = {
    "everywhere": PARTS,
    "reading": ("projector", "language"),
    "language": ("language",),
}


def _grid(changes: Mapping[str, dict[str, float]]) -> dict[str, Settings]:
    """Each choice of parts with each change (of the rate or of a hyper-parameter) and each number of steps."""
    found = {}
    for place, parts in _PLACES.items():
        for note, change in changes.items():
            values = {key: value for key, value in change.items() if key != "rate"}
            for steps in STEPS:
                settings = Settings(change.get("rate", 1e-4), parts, steps, 16, values, SALIENCY_ROWS)
                found[f"{place} {note} {steps}"] = settings
    return found


# Three choices of parts, three numbers of steps and two values of what matters most to a method: 18 for each.
CONFIGS: dict[str, dict[str, Settings]] = {
    "retain_finetune": _grid({"1e-4": {}, "3e-4": {"rate": 3e-4}}),
    "grad_ascent": _grid({"1e-4": {}, "3e-5": {"rate": 3e-5}}),
    "grad_diff": _grid({"plain": {}, "fw.1": {"forget_weight": 0.1}}),
    "kl": _grid({"plain": {}, "fw.1": {"forget_weight": 0.1}}),
    "npo": _grid({"b1": {"beta": 1.0}, "b3": {"beta": 3.0}}),
    "mmunlearner": _grid({"plain": {}, "fw.3": {"forget_weight": 0.3}}),
    "grad_diff_capped": _grid({"c1": {"ceiling": 1.0}, "c1 fw.3": {"ceiling": 1.0, "forget_weight": 0.3}}),
    "mmunlearner_capped": _grid({"c1": {"ceiling": 1.0}, "c1 g.5": {"ceiling": 1.0, "gamma": 0.5}}),
}


@dataclass(frozen=True)
class Cell:
    """One line of the output file."""

    seed: int
    method: str  # or "base" or "gold"
    config: str
    settings: dict[str, Any]
    accuracy: dict[str, float]  # probe -> share of exact matches over what the base knew
    ungated: dict[str, float]  # probe -> share of exact matches over everything
    seconds: float = 0.0  # of training, measuring and mask left out
    mask_density: float | None = None

    @property
    def key(self) -> Key:
        """What makes a cell the same as another."""
        return self.seed, self.method, json.dumps(self.settings, sort_keys=True)


Key = tuple[int, str, str]
Wanted = dict[tuple[str, str], Settings]


def main() -> None:
    """Run the cells that are missing, then print the tables."""
    options = _options()
    torch.set_num_threads(options.threads)
    wanted = _wanted(options.methods, options.configs)
    cells = _read(options.out)
    for seed in options.seeds:
        _run_seed(seed, wanted, cells, options.out)
    _print_tables([cell for cell in cells.values() if cell.seed in options.seeds], wanted)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", required=True, help="worlds to run on")
    parser.add_argument("--methods", nargs="+", default=list(CONFIGS), choices=list(CONFIGS))
    parser.add_argument(
        "--configs", nargs="+", default=[], help="only configurations whose name starts like this; `tuned`: the chosen"
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON lines of all cells; finished ones are skipped")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def _wanted(methods: Sequence[str], prefixes: Sequence[str]) -> Wanted:
    if list(prefixes) == ["tuned"]:
        return {(method, "tuned"): TUNED[method] for method in methods if method in TUNED}
    return {
        (method, name): settings
        for method in methods
        for name, settings in CONFIGS[method].items()
        if not prefixes or name.startswith(tuple(prefixes))
    }


# --- running


class _Measure(TrainerCallback):
    """Calls back after certain steps, and keeps the time that this takes out of the training's."""

    def __init__(self, steps: set[int], measure: Callable[[int, float], None]) -> None:
        self.steps, self.measure = steps, measure
        self.started, self.away = time.perf_counter(), 0.0

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self.started = time.perf_counter()

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if state.global_step in self.steps:
            left = time.perf_counter()
            self.measure(state.global_step, left - self.started - self.away)
            self.away += time.perf_counter() - left


class _Seed:
    """One world with its base, which is loaded once; its encoder keeps every encoded row."""

    def __init__(self, seed: int, cells: dict[Key, Cell], path: Path, scratch: Path) -> None:
        self.seed, self.cells, self.path, self.scratch = seed, cells, path, scratch
        world = World(seed)
        self.models = prepare(world, world.forget_people(FORGET))
        self.data: Benchmark = world.benchmark(FORGET)
        self.base = load(self.models.base, device="cpu")
        self.known = self.records(self.base.model)

    def records(self, model: torch.nn.Module) -> dict[str, list[Record]]:
        return measure_all(self.with_model(model), self.data.probes, None, 128, ANSWER_TOKENS)

    def with_model(self, model: torch.nn.Module, parts: tuple[Part, ...] = PARTS) -> LoadedModel:
        return LoadedModel(model, self.base.processor, self.base.encoder, self.base.source, parts)

    def keep(self, model: torch.nn.Module, method: str, config: str, settings: Settings | None, **more: Any) -> None:
        """Measure a model and write down its cell."""
        scores = {name: score(rows, self.known[name]) for name, rows in self.records(model).items()}
        cell = Cell(
            self.seed,
            method,
            config,
            {} if settings is None else _plain(settings),
            {name: round(one.accuracy.score, 4) for name, one in scores.items()},
            {name: round(one.ungated, 4) for name, one in scores.items()},
            **more,
        )
        with self.path.open("a") as file:
            file.write(json.dumps(asdict(cell)) + "\n")
        self.cells[cell.key] = cell
        figures = "  ".join(f"{probe} {cell.accuracy[probe]:.3f}" for probe in COLUMNS)
        print(f"{self.seed}  {method:19}{config:24}{figures}  {cell.seconds:.0f} s", file=sys.stderr, flush=True)

    def measure_yardsticks(self) -> None:
        for name in MEASURED:
            if (self.seed, name, "{}") not in self.cells:
                model = load(self.models.gold, device="cpu").model if name == "gold" else self.base.model
                self.keep(model, name, "", None)

    def run(self, method: str, stops: dict[int, tuple[str, Settings]]) -> None:
        """One training, measured after each number of steps in `stops`."""
        settings = stops[max(stops)][1]
        values = settings.hyper_parameters
        built = VARIANTS[method](**values) if method in VARIANTS else build(method, values)
        model = copy.deepcopy(self.base.model)
        freeze_other_parts(model, settings.parts)
        mask = None
        if built.needs.saliency:
            gamma = float(built.gamma)  # type: ignore[attr-defined]
            name = f"{'-'.join(settings.parts)}-{gamma:g}-{settings.saliency_batch_size}.safetensors"
            mask = str(self.scratch / name)  # one for all trainings that share it; the first one builds it

        def measure(step: int, seconds: float) -> None:
            config, wanted = stops[step]
            density = None if trainer.mask is None else round(trainer.mask.density(), 4)
            self.keep(model, method, config, wanted, seconds=round(seconds, 1), mask_density=density)

        arguments = UnlearnConfig(
            output_dir=str(self.scratch / "run"),
            max_steps=max(stops),
            per_device_train_batch_size=settings.batch_size,
            per_device_eval_batch_size=64,
            learning_rate=settings.learning_rate,
            saliency_file=mask,
            saliency_batch_size=settings.saliency_batch_size,
            seed=self.seed,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
        )
        trainer = UnlearnTrainer(
            self.with_model(model, settings.parts),
            arguments,
            method=built,
            forget=self.data.forget,
            retain=self.data.retain,
            preserve=self.data.preserve,
            callbacks=[_Measure(set(stops), measure)],
        )
        trainer.train()


def _run_seed(seed: int, wanted: Wanted, cells: dict[Key, Cell], path: Path) -> None:
    """Run what is missing of one seed."""
    trainings: dict[tuple[str, str], dict[int, tuple[str, Settings]]] = defaultdict(dict)
    for (method, config), settings in wanted.items():
        if _key(seed, method, settings) not in cells:
            same = json.dumps(_plain(replace(settings, max_steps=0)), sort_keys=True)
            trainings[method, same][settings.max_steps] = (config, settings)
    if not trainings:
        return
    with tempfile.TemporaryDirectory() as scratch:
        one = _Seed(seed, cells, path, Path(scratch))
        one.measure_yardsticks()
        for (method, _), stops in trainings.items():
            one.run(method, stops)


# --- the file


def _plain(settings: Settings) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(json.dumps(asdict(settings)))
    return values


def _key(seed: int, method: str, settings: Settings) -> Key:
    return seed, method, json.dumps(_plain(settings), sort_keys=True)


def _read(path: Path) -> dict[Key, Cell]:
    if not path.is_file():
        return {}
    cells = [Cell(**json.loads(line)) for line in path.read_text().splitlines() if line.strip()]
    return {cell.key: cell for cell in cells}


# --- tables and selection


@dataclass(frozen=True)
class _Row:
    """One configuration over the seeds."""

    name: str
    cells: list[Cell]
    forgets: bool = False
    worst: float = field(default=float("nan"))  # of what is kept, over seeds and probes
    excess: float = field(default=float("nan"))  # of forget_vqa over gold's, on the worst seed

    @property
    def rank(self) -> tuple[int, bool, float]:
        """The larger, the better; a configuration that has run on more seeds comes first."""
        return len(self.cells), self.forgets, self.worst if self.forgets else -self.excess


def _row(name: str, cells: list[Cell], yardsticks: Mapping[tuple[str, int], Cell]) -> _Row:
    excess = max(cell.accuracy["forget_vqa"] - yardsticks["gold", cell.seed].accuracy["forget_vqa"] for cell in cells)
    worst = min(
        min(
            cell.ungated["scenes"] / yardsticks["base", cell.seed].ungated["scenes"],
            *(cell.accuracy[probe] for probe in KEPT),
        )
        for cell in cells
    )
    return _Row(name, cells, excess <= FORGET_MARGIN, worst, excess)


def _print_tables(cells: Sequence[Cell], wanted: Wanted) -> None:
    """Every configuration, the best of its method first; for each probe the worst and the best over seeds."""
    found = {cell.key: cell for cell in cells}
    seeds = sorted({cell.seed for cell in cells})
    yardsticks = {(cell.method, cell.seed): cell for cell in cells if cell.method in MEASURED}
    print("Shares of exact matches over what the base knew, lowest and highest over seeds.")
    print("kept: the worst of what is to be kept, where it forgets on every seed; s: seconds of training.\n")
    print("| model | seeds | " + " | ".join(COLUMNS) + " | kept | s |")
    print("|---" * (len(COLUMNS) + 4) + "|")
    for name in MEASURED:
        _print_row(_Row(name, [cell for cell in cells if cell.method == name]))
    for method in dict.fromkeys(method for method, _ in wanted):
        rows = []
        for (owner, config), settings in wanted.items():
            keys = [_key(seed, method, settings) for seed in seeds]
            mine = [found[key] for key in keys if key in found]
            if owner == method and mine:
                rows.append(_row(f"{method}: {config}", mine, yardsticks))
        for row in sorted(rows, key=lambda row: row.rank, reverse=True):
            _print_row(row)


def _print_row(row: _Row) -> None:
    ranges = []
    for probe in COLUMNS:
        values = [cell.accuracy[probe] for cell in row.cells]
        low, high = min(values), max(values)
        ranges.append(f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f}-{high:.2f}")
    kept = f"{row.worst:.3f}" if row.forgets else ""
    seconds = sum(cell.seconds for cell in row.cells) / len(row.cells)
    print(f"| {row.name} | {len(row.cells)} | " + " | ".join(ranges) + f" | {kept} | {seconds:.0f} |")


if __name__ == "__main__":
    main()
