"""A small search for the settings of a run, on development rows taken from the user's own training rows.

A part of the forget and of the retain rows is held out, the rest is trained on with a handful of rates and numbers of
steps, and each outcome is measured on what was held out. Probes are never looked at: they are for the run that follows.

The rule: of the configurations whose held-out retain rows stay within the margin of the model before, the one that is
nearest to knowing none of the held-out forget rows and all of the others (the distance of `unsee.bench.select`, with
"nothing" for gold's forgetting). Where none stays within the margin, the nearest of all. Ties go to fewer steps, then
to the smaller rate.
"""

from __future__ import annotations

import gc
import math
import random
import shutil
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from transformers.trainer_utils import SaveStrategy

from unsee import processes
from unsee.bench.grids import Configuration, from_the_middle
from unsee.bench.select import choose, distance_to
from unsee.criteria import KEEP_MARGIN, share_right
from unsee.data import Benchmark, Example, Probe, digest
from unsee.data.pictures import image_hash
from unsee.errors import InputError
from unsee.evaluate import check_numbers, check_probe, measure_all
from unsee.files import read_json, write_json, write_text
from unsee.left_out import find_unreadable, without
from unsee.lock import is_free, locked
from unsee.methods import build, find
from unsee.metrics.answers import answer_probability
from unsee.records import Record
from unsee.run import config, load_benchmark, load_model, watch_of
from unsee.settings import LEAST_STEPS, PROBES, Settings
from unsee.strict import dump_yaml
from unsee.trainer import UnlearnTrainer
from unsee.vlm import LoadedModel

RATES = (0.3, 1.0, 3.0)  # times that of the settings
STEPS = (0.5, 1.0, 2.0)  # times as many
BUDGET = len(RATES) * len(STEPS)
HELD_OUT = 0.25  # of the groups
FEWEST_GROUPS = 4  # to hold any out
FEWEST_ROWS = 10  # held out; with fewer, one answer is more than ten points
SEARCH, CHOSEN, SCRATCH = "search.json", "best.yaml", "scratch"


@dataclass(frozen=True)
class Division:
    """Rows to train on and rows to measure on; the latter are among the former where there were too few."""

    train: list[Example]
    held_out: list[Example]
    by: str  # "subject", "picture", "question", or "" where nothing could be held out


def divide(rows: Sequence[Example], seed: int, by_subject: bool) -> Division:
    """Hold out a quarter of some rows, so that no subject, or else no picture, or else no question is in both parts.

    Args:
        rows: to be divided.
        seed: of the choice.
        by_subject: whether subjects may be held out; those to be forgotten are all to be trained on.
    """
    ways: dict[str, Callable[[Example], Hashable]] = {
        "subject": lambda row: row.subject,
        "picture": lambda row: image_hash(row.image) if row.image is not None else ("", row.question),
        "question": lambda row: row.question,
    }
    for by, key in ways.items():
        groups = sorted({key(row) for row in rows}, key=repr)
        if len(groups) < FEWEST_GROUPS or (by == "subject" and (not by_subject or None in groups)):
            continue
        out = set(random.Random(seed).sample(groups, max(1, round(HELD_OUT * len(groups)))))
        return Division([row for row in rows if key(row) not in out], [row for row in rows if key(row) in out], by)
    return Division(list(rows), list(rows), "")


def told(name: str, division: Division) -> str:
    """A sentence on what was held out."""
    rows = len(division.held_out)
    if not division.by:
        return f"{name}: too few different rows to hold any out, so all {rows} are trained on and measured."
    few = f" That is few: one answer is {100 / rows:.0f} points." if rows < FEWEST_ROWS else ""
    return f"{name}: {rows} of {rows + len(division.train)} rows held out, by {division.by}.{few}"


def configurations(settings: Settings, budget: int) -> list[Configuration]:
    """What is tried: rates and steps around those of the settings, the middle first.

    Raises:
        InputError: for a budget out of range.
    """
    if not 1 <= budget <= BUDGET:
        raise InputError(f"--budget {budget}: the grid holds {BUDGET} configurations, give 1 to {BUDGET}")
    steps = settings.max_steps or LEAST_STEPS
    made = [
        Configuration(float(f"{rate * settings.learning_rate:.2g}"), max(1, round(more * steps)), settings.parts)
        for rate, more in product(RATES, STEPS)
    ]
    return from_the_middle(made)[:budget]


def tune(settings: Settings, budget: int = BUDGET, minutes: float | None = None) -> dict[str, Any]:
    """Search, or go on with a search that was interrupted.

    Args:
        settings: of the run; `out` is the folder of the search.
        budget: how many configurations.
        minutes: no configuration is begun after so many; None sets no limit.

    Returns:
        `notes`: sentences on the rows. `tried`: of each configuration the shares of right answers and whether it
        keeps. `base`: the shares before. `chosen`: the place of the selected one. `settings`: the file for the run.

    Raises:
        InputError: when anything that was given is wrong, or the folder holds something else.
    """
    method, started = find(settings.method), time.monotonic()
    if method.needs.spans or not method.needs.forget:
        raise InputError(f"tune: {settings.method} does not unlearn answers; there is nothing to search for")
    if processes.count() > 1:
        raise InputError("tune: several processes; a search is done by one")
    wanted, folder = configurations(settings, budget), Path(settings.out)
    asked, without_probes = settings, {key: dict[str, str]() for key in PROBES}
    settings = settings.model_copy(update=without_probes)  # they are for the run that follows
    benchmark, loaded = load_benchmark(settings), load_model(settings)
    benchmark = without(benchmark, find_unreadable(benchmark, loaded.encoder))
    parts = {
        "forget": divide(benchmark.forget, settings.seed, by_subject=False),
        "retain": divide(benchmark.retain, settings.seed, by_subject=True),
    }
    described = {
        "settings": settings.model_dump(mode="json", exclude={"out"}),
        "rows": {name: digest(getattr(benchmark, name)) for name in ("forget", "retain", "preserve")},
    }
    _check(folder, described)
    with locked(folder):
        _check(folder, described)
        search = _Search(settings, loaded, parts, benchmark.preserve)
        write_json(folder / SEARCH, described)
        base = search.base()
        tried: list[dict[str, Any]] = []
        for one in wanted:
            if tried and minutes is not None and time.monotonic() - started > 60 * minutes and not search.knows(one):
                break
            tried.append(search.try_out(one))
        chosen = select(wanted[: len(tried)], tried, base)
        write_text(folder / CHOSEN, dump_yaml(_chosen(asked, wanted[chosen])))
        shutil.rmtree(folder / SCRATCH, ignore_errors=True)
    return {
        "notes": [told(name, part) for name, part in parts.items() if part.held_out] + _without_retain(parts),
        "base": base,
        "tried": [{**asdict_of(one), **found} for one, found in zip(wanted, tried, strict=False)],
        "chosen": chosen,
        "keeps": keeps(tried[chosen], base),
        "settings": str(folder / CHOSEN),
    }


def keeps(found: Mapping[str, Any], base: Mapping[str, float]) -> bool:
    """Whether what should stay stayed within the margin of the model before, on the held-out rows."""
    return not found.get("failed") and base.get("retain", 0.0) - found.get("retain", 0.0) <= KEEP_MARGIN + 1e-9


def select(wanted: Sequence[Configuration], tried: Sequence[Mapping[str, Any]], base: Mapping[str, float]) -> int:
    """The place of the configuration that the rule above selects.

    Raises:
        InputError: when all trainings failed.
    """
    if all(found.get("failed") for found in tried):
        raise InputError(f"tune: every training failed, the first because: {tried[0]['failed']}")
    known = {name: base[name] for name in ("forget", "retain") if name in base}
    target = {**known, "forget": 0.0}
    far = [
        math.inf if one.get("failed") else distance_to({name: one[name] for name in known}, known, target, ["forget"])
        for one in tried
    ]
    kept = [keeps(one, base) for one in tried]
    return choose({n: [gap if kept[n] or not any(kept) else math.inf] for n, gap in enumerate(far)}, wanted)


def asdict_of(one: Configuration) -> dict[str, Any]:
    """What differs between the configurations of a search."""
    return {"learning_rate": one.learning_rate, "max_steps": one.max_steps}


def _without_retain(parts: Mapping[str, Division]) -> list[str]:
    if parts["retain"].held_out:
        return []
    return ["retain: no rows, so nothing shows what else is lost; the configuration that forgets most is taken."]


def _check(folder: Path, described: Mapping[str, Any]) -> None:
    """InputError unless a folder is free or holds this search."""
    mark = folder / SEARCH
    if mark.is_file():
        if read_json(mark) != described:
            raise InputError(f"out: {folder} holds another search; give a folder that does not exist yet")
    elif folder.exists() and not is_free(folder):
        raise InputError(f"out: {folder} is not empty and holds no search; give a folder that does not exist yet")


def _chosen(settings: Settings, one: Configuration) -> dict[str, Any]:
    """A run with the whole of the rows, as `unsee unlearn` reads it."""
    values = {**settings.model_dump(mode="json", exclude_none=True), **asdict_of(one)}
    return {**values, "out": "run"}  # beside the file


class _Search:
    """One model, loaded once, whose starting weights are put back before each training."""

    def __init__(
        self, settings: Settings, loaded: LoadedModel, parts: Mapping[str, Division], preserve: Sequence[Example]
    ) -> None:
        self.settings, self.loaded, self.folder = settings, loaded, Path(settings.out)
        self.parts = parts
        self.trained_on = Benchmark("", parts["forget"].train, parts["retain"].train, preserve)
        for name, part in parts.items():
            self.loaded.encoder.check([*part.train, *part.held_out], name)
        self.probes = [Probe(name, part.held_out) for name, part in parts.items() if part.held_out]
        for probe in self.probes:
            check_probe(self.loaded.encoder, probe, probe.name, settings.max_new_tokens)
        self.start = {
            name: weight.detach().to("cpu", copy=True)
            for name, weight in self.loaded.model.named_parameters()
            if weight.requires_grad
        }

    def base(self) -> dict[str, float]:
        """What the model before has right of the held-out rows."""
        self.known = self._records("base")
        for records in self.known.values():
            check_numbers(records, self.settings.model)
        shares: dict[str, float] = self._shares(self.known)
        if not shares["forget"] > 0:
            raise InputError("tune: the model knows none of the held-out forget rows; there is nothing to forget")
        return shares

    def knows(self, one: Configuration) -> bool:
        """Whether a configuration was tried before."""
        return self._file(one).is_file()

    def try_out(self, one: Configuration) -> dict[str, Any]:
        """Shares of right answers after a training, or `failed` with why."""
        if not self.knows(one):
            write_json(self._file(one), self._outcome(one))
        found: dict[str, Any] = read_json(self._file(one))
        return found

    def _file(self, one: Configuration) -> Path:
        return self.folder / "tried" / f"{one.learning_rate:g}-{one.max_steps}.json"

    def _outcome(self, one: Configuration) -> dict[str, Any]:
        self._put_back()
        settings = self.settings.model_copy(update=asdict_of(one))
        arguments = config(settings, self.folder / SCRATCH)
        arguments.save_strategy = SaveStrategy.NO
        try:
            watch = watch_of(settings, self.trained_on, self.loaded, spans=False)
            UnlearnTrainer(
                self.loaded,
                arguments,
                method=build(settings.method, settings.hyper_parameters),
                forget=self.trained_on.forget,
                retain=self.trained_on.retain,
                preserve=self.trained_on.preserve,
                gate=settings.gate,
                callbacks=[watch] if watch else None,
            ).train()
        except FloatingPointError as error:
            return {"failed": str(error)}
        finally:
            gc.collect()  # trainers hold themselves in circles
        return self._shares(self._records(None))

    @torch.no_grad()
    def _put_back(self) -> None:
        for name, weight in self.loaded.model.named_parameters():
            if name in self.start:
                weight.data = self.start[name].to(weight.device, copy=True)

    def _records(self, name: str | None) -> dict[str, list[Record]]:
        folder = self.folder / "records" / name if name else None
        settings = self.settings
        return measure_all(self.loaded, self.probes, folder, settings.eval_batch_size, settings.max_new_tokens)

    def _shares(self, records: Mapping[str, list[Record]]) -> dict[str, float]:
        shares = {
            name: share_right(rows, self.known[name], "forget" if name == "forget" else "keep")
            for name, rows in records.items()
        }
        likely = {
            f"{name}_probability": fmean(answer_probability(row.log_prob, row.tokens) for row in rows)
            for name, rows in records.items()
        }
        return {**shares, **likely}
