"""Tune the methods on the embedded world: every method, the same number of configurations, seeds kept for tuning.

    python benchmarks/tune_world.py --seeds 100 101 102 --out tuning.jsonl
    python benchmarks/tune_world.py --seeds 100 --methods npo mmunlearner --configs vp --out tuning.jsonl
    python benchmarks/tune_world.py --seeds 110 111 --configs tuned --out check.jsonl

A cell is one method with one configuration on one seed: 3 of 30 people are forgotten by sight, from a copy of the same
base, and the held-out probes are measured. Cells are appended to the output file as they finish, and cells that it
holds already are not run again. The tables and the selection are made from the file alone.

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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from unsee.data.example import Benchmark
from unsee.evaluate import Record, measure_all, score
from unsee.methods import METHODS, build
from unsee.parts import PARTS, Part
from unsee.trainer import UnlearnConfig, UnlearnTrainer
from unsee.vlm import LoadedModel, load
from unsee.vlm.parts import freeze_other_parts
from unsee.world.models import prepare
from unsee.world.tuned import TUNED, Settings
from unsee.world.world import World

FORGET = 0.10  # of the private people
MARGIN = 0.10  # above gold's forget_vqa: more than that is not forgotten
KEPT = ("retain_vqa", "celebrity_vqa", "forget_qa", "retain_qa")  # and scenes, relative to the base
COLUMNS = ("forget_vqa", "forget_qa", "retain_vqa", "retain_qa", "celebrity_vqa", "celebrity_qa", "scenes")
MEASURED = ("base", "gold")  # models that are only measured
ANSWER_TOKENS = 16  # the longest answer has fewer

_ROOMS: Mapping[str, tuple[Part, ...]] = {
    "vpl": PARTS,
    "pl": ("projector", "language"),
    "vp": ("vision", "projector"),
    "l": ("language",),
}


def _grid(rates: Sequence[float]) -> dict[str, Settings]:
    """What every method tries: each choice of parts with each learning rate."""
    return {f"{room}-{rate:g}": Settings(rate, parts) for room, parts in _ROOMS.items() for rate in rates}


CONFIGS: dict[str, dict[str, Settings]] = {
    name: _grid((1e-4, 3e-4)) for name in METHODS
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
    seconds: dict[str, float] = field(default_factory=dict)  # prepare (reference and mask), train
    mask_density: float | None = None

    @property
    def key(self) -> tuple[int, str, str, str]:
        """What makes a cell the same as another."""
        return self.seed, self.method, self.config, json.dumps(self.settings, sort_keys=True)


def main() -> None:
    """Run the cells that are missing, then print the tables."""
    options = _options()
    torch.set_num_threads(options.threads)
    wanted = _wanted(options.methods, options.configs)
    cells = _read(options.out)
    for seed in options.seeds:
        _run_seed(seed, wanted, cells, options.out)
    shown = [cell for cell in cells.values() if cell.seed in options.seeds]
    _print_tables(shown, wanted)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Tune the methods on the embedded world.")
    parser.add_argument("--seeds", type=int, nargs="+", required=True, help="worlds to run on")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument(
        "--configs", nargs="+", default=[], help="only configurations whose name starts like this; `tuned`: the chosen"
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON lines of all cells; finished ones are skipped")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def _wanted(methods: Sequence[str], prefixes: Sequence[str]) -> dict[tuple[str, str], Settings]:
    if list(prefixes) == ["tuned"]:
        return {(method, "tuned"): TUNED[method] for method in methods}
    return {
        (method, name): settings
        for method in methods
        for name, settings in CONFIGS[method].items()
        if not prefixes or name.startswith(tuple(prefixes))
    }


# --- running


def _run_seed(
    seed: int, wanted: Mapping[tuple[str, str], Settings], cells: dict[Any, Cell], path: Path
) -> None:
    """Run what is missing of one seed; the base is loaded once, and its encoder keeps every encoded row."""
    missing = {key: settings for key, settings in wanted.items() if _key(seed, *key, settings) not in cells}
    if not missing:
        return
    world = World(seed)
    models, data = prepare(world, world.forget_people(FORGET)), world.benchmark(FORGET)
    base = load(models.base, device="cpu")
    known = measure_all(base, data.probes, None, 128, ANSWER_TOKENS)
    for name in MEASURED:
        if _key(seed, name, "", None) not in cells:
            model = load(models.gold, device="cpu").model if name == "gold" else base.model
            records = measure_all(_with(base, model), data.probes, None, 128, ANSWER_TOKENS)
            _keep(Cell(seed, name, "", {}, *_accuracies(records, known)), cells, path)
    for (method, config), settings in missing.items():
        _keep(_run(seed, method, config, settings, base, data, known), cells, path)


def _run(
    seed: int,
    method: str,
    config: str,
    settings: Settings,
    base: LoadedModel,
    data: Benchmark,
    known: dict[str, list[Record]],
) -> Cell:
    model = copy.deepcopy(base.model)
    freeze_other_parts(model, settings.parts)
    loaded = _with(base, model, settings.parts)
    with tempfile.TemporaryDirectory() as scratch:
        arguments = UnlearnConfig(
            output_dir=scratch,
            max_steps=settings.max_steps,
            per_device_train_batch_size=settings.batch_size,
            per_device_eval_batch_size=64,
            learning_rate=settings.learning_rate,
            saliency_batch_size=settings.saliency_batch_size,
            seed=seed,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
        )
        started = time.perf_counter()
        trainer = UnlearnTrainer(
            loaded,
            arguments,
            method=build(method, settings.hyper_parameters),
            forget=data.forget,
            retain=data.retain,
            preserve=data.preserve if "language" in settings.parts else (),  # words alone reach nothing else
        )
        prepared = time.perf_counter()
        try:
            trainer.train()
        except FloatingPointError as error:  # diverged: the model is measured as it is
            print(f"  {method} {config}: {error}", file=sys.stderr)
        trained = time.perf_counter()
    records = measure_all(loaded, data.probes, None, 128, ANSWER_TOKENS)
    return Cell(
        seed,
        method,
        config,
        asdict(settings),
        *_accuracies(records, known),
        seconds={"prepare": round(prepared - started, 2), "train": round(trained - prepared, 2)},
        mask_density=None if trainer.mask is None else round(trainer.mask.density(), 4),
    )


def _with(base: LoadedModel, model: torch.nn.Module, parts: tuple[Part, ...] = PARTS) -> LoadedModel:
    return LoadedModel(model, base.processor, base.encoder, base.source, parts)


def _accuracies(
    records: Mapping[str, list[Record]], known: Mapping[str, list[Record]]
) -> tuple[dict[str, float], dict[str, float]]:
    scores = {name: score(rows, known[name]) for name, rows in records.items()}
    return (
        {name: round(one.accuracy.score, 4) for name, one in scores.items()},
        {name: round(one.ungated, 4) for name, one in scores.items()},
    )


# --- the file


def _key(seed: int, method: str, config: str, settings: Settings | None) -> tuple[int, str, str, str]:
    values = {} if settings is None else json.loads(json.dumps(asdict(settings)))
    return seed, method, config, json.dumps(values, sort_keys=True)


def _read(path: Path) -> dict[Any, Cell]:
    if not path.is_file():
        return {}
    cells = [Cell(**json.loads(line)) for line in path.read_text().splitlines() if line.strip()]
    return {cell.key: cell for cell in cells}


def _keep(cell: Cell, cells: dict[Any, Cell], path: Path) -> None:
    with path.open("a") as file:
        file.write(json.dumps(asdict(cell)) + "\n")
    cells[cell.key] = cell
    print(f"{cell.seed}  {_line(cell)}", file=sys.stderr, flush=True)


# --- tables and selection


def _print_tables(cells: Sequence[Cell], wanted: Mapping[tuple[str, str], Settings]) -> None:
    yardsticks = {(cell.method, cell.seed): cell for cell in cells if cell.method in MEASURED}
    print("score = worst over seeds of what is kept; all figures are shares of exact matches over what the base knew\n")
    print(f"{'model':34}{'seeds':>6}" + "".join(f"{name:>14}" for name in COLUMNS) + f"{'score':>8}{'s':>6}")
    for name in MEASURED:
        _print_row(name, [cell for cell in cells if cell.method == name], "")
    for method in dict.fromkeys(method for method, _ in wanted):
        ranked = []
        for (owner, config), settings in wanted.items():
            keys = {_key(seed, method, config, settings) for seed in {cell.seed for cell in cells}}
            rows = [cell for cell in cells if owner == method and cell.key in keys]
            if rows:
                ranked.append((_rank(rows, yardsticks), config, rows))
        print()
        for number, (rank, config, rows) in enumerate(sorted(ranked, key=lambda one: one[0], reverse=True)):
            note = f"{rank[1]:.3f}" if rank[0] else "-"
            seconds = sum(sum(cell.seconds.values()) for cell in rows) / len(rows)
            _print_row(f"{method} {config}", rows, f"{note:>8}{seconds:6.1f}" + ("  *" if number == 0 else ""))


def _print_row(name: str, rows: Sequence[Cell], tail: str) -> None:
    """One line: for each probe the worst and the best over seeds."""
    text = f"{name:34}{len(rows):>6}"
    for probe in COLUMNS:
        values = [cell.accuracy[probe] for cell in rows]
        low, high = min(values), max(values)
        text += f"{f'{low:.3f}' if low == high else f'{low:.3f}-{high:.3f}':>14}"
    print(text + tail)


def _rank(rows: Iterable[Cell], yardsticks: Mapping[tuple[str, int], Cell]) -> tuple[bool, float]:
    """What the selection compares: whether it forgets on every seed, then how much is kept, or how little is forgot."""
    rows = list(rows)
    forgets = all(_excess(cell, yardsticks) <= MARGIN for cell in rows)
    if forgets:
        return True, min(_kept(cell, yardsticks) for cell in rows)
    return False, -max(_excess(cell, yardsticks) for cell in rows)


def _excess(cell: Cell, yardsticks: Mapping[tuple[str, int], Cell]) -> float:
    return cell.accuracy["forget_vqa"] - yardsticks["gold", cell.seed].accuracy["forget_vqa"]


def _kept(cell: Cell, yardsticks: Mapping[tuple[str, int], Cell]) -> float:
    scenes = cell.ungated["scenes"] / yardsticks["base", cell.seed].ungated["scenes"]
    return min(scenes, *(cell.accuracy[probe] for probe in KEPT))


def _line(cell: Cell) -> str:
    figures = "  ".join(f"{probe} {cell.accuracy[probe]:.3f}" for probe in COLUMNS)
    density = "" if cell.mask_density is None else f"  mask {cell.mask_density:.2f}"
    return f"{cell.method:16}{cell.config:18}{figures}  {sum(cell.seconds.values()):.1f} s{density}"


if __name__ == "__main__":
    main()
