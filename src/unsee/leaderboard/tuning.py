"""A small search for the settings of a run, on development rows taken from the user's own training rows.

A part of the forget and of the retain rows is held out, the rest is trained on with a handful of rates and numbers of
steps, and each outcome is measured on what was held out. Probes are never looked at: they are for the run that follows.

The rule: of the configurations whose held-out retain rows stay within the margin of the model before, the one that is
nearest to knowing none of the held-out forget rows and all of the others (the distance of `unsee.leaderboard.select`,
with "nothing" for gold's forgetting). Where none stays within the margin, the nearest of all. Ties go to fewer steps,
then to the smaller rate.
"""

from __future__ import annotations

import gc
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from transformers.trainer_utils import SaveStrategy

from unsee.data import Benchmark, Probe, digest
from unsee.data.held_out import divide, told
from unsee.errors import InputError
from unsee.evaluation.criteria import KEEP_MARGIN, share_right
from unsee.evaluation.measure import check_numbers, check_probe, measure_all
from unsee.evaluation.records import Record
from unsee.evaluation.unreadable import find_unreadable, without
from unsee.leaderboard.grids import Configuration, from_the_middle
from unsee.leaderboard.select import choose, distance
from unsee.methods.registry import code_of
from unsee.metrics.answers import answer_probability
from unsee.runs.finished import earlier_of
from unsee.runs.folder import check_place
from unsee.runs.models import load_model
from unsee.runs.sets import check_needs, load_sets
from unsee.runs.settings import LEAST_STEPS, PROBES, Settings
from unsee.runs.trainer import config, course
from unsee.system import processes, progress
from unsee.system.files import write_json, write_text
from unsee.system.lock import is_free, locked
from unsee.system.strict import dump_yaml
from unsee.system.typed import read_typed
from unsee.vlm import LoadedModel

RATES = (0.3, 1.0, 3.0)  # times that of the settings
STEPS = (0.5, 1.0, 2.0)  # times as many
BUDGET = len(RATES) * len(STEPS)
SEARCH, CHOSEN, SCRATCH = "search.json", "best.yaml", "scratch"


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
    started, folder = time.monotonic(), Path(settings.out)
    wanted = configurations(settings, budget)
    _check_settings(settings)
    asked, without_probes = settings, {key: dict[str, str]() for key in PROBES}
    settings = settings.model_copy(update=without_probes)  # they are for the run that follows
    benchmark = load_sets(settings, earlier_of(settings))
    check_needs(settings, benchmark)
    described: dict[str, Any] = {
        "settings": settings.model_dump(mode="json", exclude={"out"}),
        "rows": {name: digest(getattr(benchmark, name)) for name in ("forget", "retain", "preserve")},
    }
    if code := code_of(settings.method):
        described["code"] = code
    _check(folder, described)
    loaded = load_model(settings)
    with locked(folder):
        _check(folder, described)
        search = _Search(settings, loaded, without(benchmark, find_unreadable(benchmark, loaded.encoder)))
        write_json(folder / SEARCH, described)
        over = lambda: minutes is not None and time.monotonic() - started > 60 * minutes  # noqa: E731
        try:
            base = search.base()
            tried = list(search.try_out_all(wanted, over))
            chosen = select(wanted[: len(tried)], tried, base)
        except (InputError, torch.OutOfMemoryError) as error:
            _give_up(folder)
            if isinstance(error, InputError):
                raise
            raise InputError("too little memory; choose a smaller batch_size or eval_batch_size, or --lora") from error
        write_text(folder / CHOSEN, dump_yaml(_chosen(asked, wanted[chosen])))
        shutil.rmtree(folder / SCRATCH, ignore_errors=True)
    return {
        "notes": search.notes(),
        "base": base,
        "tried": [
            {**_searched(configuration), **outcome} for configuration, outcome in zip(wanted, tried, strict=False)
        ],
        "chosen": chosen,
        "keeps": keeps(tried[chosen], base),
        "settings": str(folder / CHOSEN),
    }


def _check_settings(settings: Settings) -> None:
    if settings.stop or settings.find_rate:
        raise InputError("tune: stop and find_rate choose steps and rate by themselves; leave them out, or do not tune")
    needs = settings.card.needs
    if needs.spans or not needs.forget:
        raise InputError(f"tune: {settings.card.name} does not unlearn answers; there is nothing to search for")
    if processes.count() > 1:
        raise InputError("tune: several processes; a search is done by one")


def _give_up(folder: Path) -> None:
    """Leave nothing in the way of a search with other settings."""
    for name in ("records", "tried", SCRATCH):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / SEARCH).unlink(missing_ok=True)


def keeps(found: Mapping[str, Any], base: Mapping[str, float]) -> bool:
    """Whether what should stay stayed within the margin of the model before, on the held-out rows."""
    return not found.get("failed") and base.get("retain", 0.0) - found.get("retain", 0.0) <= KEEP_MARGIN + 1e-9


def select(wanted: Sequence[Configuration], tried: Sequence[Mapping[str, Any]], base: Mapping[str, float]) -> int:
    """The place of the configuration that the rule above selects.

    Raises:
        InputError: when all trainings failed.
    """
    if all(outcome.get("failed") for outcome in tried):
        raise InputError(f"tune: every training failed, the first because: {tried[0]['failed']}")
    known = {name: base[name] for name in ("forget", "retain") if name in base}
    target = {**known, "forget": 0.0}
    far = [
        math.inf
        if outcome.get("failed")
        else distance({name: outcome[name] for name in known}, known, target, ["forget"])
        for outcome in tried
    ]
    kept = [keeps(outcome, base) for outcome in tried]
    return choose({n: [gap if kept[n] or not any(kept) else math.inf] for n, gap in enumerate(far)}, wanted)


def _searched(configuration: Configuration) -> dict[str, Any]:
    """What differs between the configurations of a search."""
    return {"learning_rate": configuration.learning_rate, "max_steps": configuration.max_steps}


def _check(folder: Path, described: Mapping[str, Any]) -> None:
    """InputError unless a folder is free or holds this search."""
    check_place(folder)
    mark = folder / SEARCH
    if mark.is_file():
        if read_typed(mark, dict[str, Any]) != described:
            raise InputError(f"out: {folder} holds another search; give a folder that does not exist yet")
    elif folder.exists() and not is_free(folder):
        raise InputError(f"out: {folder} is not empty and holds no search; give a folder that does not exist yet")


def _chosen(settings: Settings, configuration: Configuration) -> dict[str, Any]:
    """A run with the whole of the rows, as `unsee unlearn` reads it."""
    values = {**settings.model_dump(mode="json", exclude_none=True), **_searched(configuration)}
    return {**values, "out": "run"}  # beside the file


class _Search:
    """One model, loaded once, whose starting weights are put back before each training."""

    def __init__(self, settings: Settings, loaded: LoadedModel, benchmark: Benchmark) -> None:
        self.settings, self.loaded, self.folder = settings, loaded, Path(settings.out)
        self.parts = parts = {
            "forget": divide(benchmark.forget, settings.seed, by_subject=False),
            "retain": divide(benchmark.retain, settings.seed, by_subject=True),
        }
        self.trained_on = Benchmark("", parts["forget"].train, parts["retain"].train, benchmark.preserve)
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

    def notes(self) -> list[str]:
        """Sentences on what was held out."""
        sentences = [told(name, part) for name, part in self.parts.items() if part.held_out]
        if not self.parts["retain"].held_out:
            sentences.append("retain: no rows, so nothing shows what else is lost; what forgets most is taken.")
        return sentences

    def try_out_all(self, wanted: Sequence[Configuration], over: Callable[[], bool]) -> Iterator[dict[str, Any]]:
        """The outcomes in order, the first at least; none is begun once it is `over`."""
        for number, configuration in enumerate(wanted, start=1):
            if number > 1 and over() and not self.knows(configuration):
                return
            with progress.stage(f"{number} of {len(wanted)}, {configuration.label}"):
                yield self.try_out(configuration)

    def knows(self, configuration: Configuration) -> bool:
        """Whether a configuration was tried before."""
        return self._file(configuration).is_file()

    def try_out(self, configuration: Configuration) -> dict[str, Any]:
        """Shares of right answers after a training, or `failed` with why."""
        if not self.knows(configuration):
            write_json(self._file(configuration), self._outcome(configuration))
        outcome: dict[str, Any] = read_typed(self._file(configuration), dict[str, Any])
        return outcome

    def _file(self, configuration: Configuration) -> Path:
        return self.folder / "tried" / f"{configuration.learning_rate:g}-{configuration.max_steps}.json"

    def _outcome(self, configuration: Configuration) -> dict[str, Any]:
        self._put_back()
        settings = self.settings.model_copy(update=_searched(configuration))
        arguments = config(settings, self.folder / SCRATCH)
        arguments.save_strategy = SaveStrategy.NO
        try:
            course(settings, self.trained_on, self.loaded, arguments).trainer.train()
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
