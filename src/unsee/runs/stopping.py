"""What a run with `stop` looks at while it trains, and what it trains on then."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unsee.data import Benchmark, Example, Probe
from unsee.data.development import development, spread, unasked
from unsee.data.held_out import Division
from unsee.errors import InputError
from unsee.methods.method import needs_of
from unsee.runs.gold import load_gold
from unsee.runs.settings import Settings
from unsee.runs.taken_over import is_records_folder
from unsee.system import processes
from unsee.system.files import write_json
from unsee.system.typed import read_typed
from unsee.training.asking import right_answers
from unsee.training.done import Wanted
from unsee.training.stopping import StopWhenDone
from unsee.vlm import LoadedModel
from unsee.vlm.policy import Policy

GOLD_FILE = "stop_gold.json"  # among the checkpoints: which of the forget rows that are looked at gold has right
UNTRAINED = "untrained"  # rows of a set that no method, or not this one, trains on


@dataclass(frozen=True)
class Watched:
    """What is trained on, and what is looked at meanwhile.

    Attributes:
        sets: without the rows that are held out.
        rows: to look at, by set.
        held_out: by what they were taken out, by set; "untrained" where nothing of a set is trained on anyway.
    """

    sets: Benchmark
    rows: Mapping[str, Sequence[Example]]
    held_out: Mapping[str, str]


def check_stop(settings: Settings) -> None:
    """InputError where a run cannot be ended by what its answers show, or gold is the mark and cannot be asked."""
    stop = settings.stop
    if stop is None:
        return
    needs = settings.card.needs
    if needs.spans:
        raise InputError(f"stop: {settings.card.name} unlearns parts of captions, not answers; leave stop out")
    if settings.guard is not None:
        raise InputError("stop and guard both end a run and keep a state of their own; give one of the two")
    if stop.near_gold and (settings.gold is None or is_records_folder(Path(settings.gold))):
        raise InputError(
            f"stop.forget={stop.forget}: needs a gold model that can be asked other rows than the probes; give "
            "--gold MODEL, or a share such as 0.05"
        )


def preserved_are_retained(settings: Settings) -> bool:
    """Whether a run trains on its preserve rows."""
    return settings.retain_preserved and needs_of(settings.built_method).retain


def watched(settings: Settings, sets: Benchmark, reported: Sequence[Probe] = ()) -> Watched:
    """Divide the training rows of a run with `stop`; see `unsee.data.development`.

    Args:
        settings: of the run.
        sets: what it trains on and asks.
        reported: probes of which nothing is looked at, even where training rows are.

    Raises:
        InputError: no forget row is left to look at.
    """
    assert settings.stop is not None
    needs = needs_of(settings.built_method)
    train: dict[str, Any] = {}
    rows: dict[str, Sequence[Example]] = {}
    held_out: dict[str, str] = {}
    trained = {
        "forget": needs.forget or needs.refusals,
        "retain": needs.retain,
        "preserve": preserved_are_retained(settings),
    }
    for name in ("forget", "retain", "preserve"):
        given = getattr(sets, name)
        if trained[name]:
            division = development(given, sets.probes, settings.stop.rows, settings.seed, reported)
        else:
            division = Division(list(given), spread(unasked(given, reported), settings.stop.rows), UNTRAINED)
        train[name] = division.train
        if division.held_out:
            rows[name], held_out[name] = division.held_out, division.by
    if "forget" not in rows:
        raise InputError("stop: every forget row is asked in what is reported, so none can be looked at; leave it out")
    return Watched(replace(sets, **train), rows, held_out)


def stop_of(settings: Settings, seen: Watched, loaded: LoadedModel, folder: Path) -> StopWhenDone:
    """The callback that ends a run.

    Args:
        settings: of the run.
        seen: as `watched` gives it.
        loaded: the model.
        folder: of the checkpoints, where what gold knows is kept.

    Raises:
        InputError: gold cannot be asked.
    """
    stop = settings.stop
    assert stop is not None
    gold = _gold(settings, seen.rows["forget"], folder) if stop.near_gold else None
    wanted = Wanted(stop.forget_share, stop.retain_share, stop.below_base, gold)
    return StopWhenDone(
        loaded.encoder, seen.rows, wanted, stop.every, settings.eval_batch_size, paces=settings.find_rate
    )


def _gold(settings: Settings, rows: Sequence[Example], folder: Path) -> list[bool]:
    """Which rows gold has right; asked once in a run, as a resumed one ends by the same mark."""
    path = folder / GOLD_FILE
    if not processes.agreed(path.is_file()):
        gold: Any = load_gold(settings)
        gold.encoder.check(rows, "gold, rows to look at")
        right = processes.agreed(right_answers(Policy(gold.model), gold.encoder, rows, settings.eval_batch_size))
        del gold
        gc.collect()
        processes.once(lambda: write_json(path, right))
    known: list[bool] = read_typed(path, list[bool])
    return known
