"""The first stage of a run: everything that was given is looked at, and nothing is written."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from pathlib import Path

from unsee.data import Benchmark
from unsee.evaluation.after import Earlier
from unsee.evaluation.measure import check_probe
from unsee.evaluation.registry import metrics
from unsee.evaluation.unreadable import Unreadable, find_unreadable, rows_of, without
from unsee.runs.base_once import check_base_records, has_base
from unsee.runs.folder import is_begun
from unsee.runs.gold import check_gold_model, check_gold_records
from unsee.runs.models import load_model
from unsee.runs.sets import check_needs, load_sets
from unsee.runs.settings import Settings
from unsee.runs.stopping import check_stop
from unsee.vlm import LoadedModel


@dataclass(frozen=True)
class Given:
    """What was given for a run: read, and found usable.

    Attributes:
        sets: what is trained on and asked, without captions that the model could not read.
        unreadable: these captions. They are found once: before and after, the same rows have to be asked, and the model
            that a run writes has the tokens of the one that it began with.
        earlier: what an earlier run was to remove, which is asked again.
    """

    sets: Benchmark
    unreadable: Unreadable
    earlier: Earlier | None


def check(
    folder: Path, settings: Settings, earlier: Earlier | None, base_records: Path | None, overwrite: bool
) -> tuple[Given, LoadedModel]:
    """Read everything that was given, and see that it can be used.

    Args:
        folder: of the run.
        settings: of the run.
        earlier: what an earlier run was to remove.
        base_records: a run, or records, whose answers of the base are to be taken over.
        overwrite: whether a run that is in the folder is to make room.

    Returns:
        What was given, and the model, ready to be measured and trained.

    Raises:
        InputError: something cannot be used.
    """
    # The pictures of a run that goes on were looked at when it began, and are the same by their digests.
    goes_on = not overwrite and is_begun(folder)
    check_stop(settings)
    sets = load_sets(settings, earlier, check_images=not goes_on)
    check_needs(settings, sets)
    metrics()  # a plug-in that does not fit is known now, and not after the training
    check_gold_model(folder, settings, sets)
    gc.collect()  # gold's memory is free before the model is loaded
    loaded = load_model(settings)
    unreadable = find_unreadable(sets, loaded.encoder)
    _check_rows(settings, sets, unreadable, loaded)
    sets = without(sets, unreadable)
    check_gold_records(settings, sets.probes)
    if base_records is not None and not (goes_on and has_base(folder, sets.probes)):
        check_base_records(base_records, settings, sets, loaded)
    return Given(sets, unreadable, earlier), loaded


def _check_rows(settings: Settings, sets: Benchmark, unreadable: Unreadable, loaded: LoadedModel) -> None:
    """InputError for a row that the model cannot be trained on, or asked; those that are left out are passed over."""
    for role in ("forget", "retain", "preserve"):
        loaded.encoder.check(getattr(sets, role), str(getattr(settings, role)), rows_of(unreadable, role))
    sources = settings.every_probe
    for probe in sets.probes:
        rows = rows_of(unreadable, f"probe {probe.name}")
        named = sources[probe.name][0] if probe.name in sources else probe.name
        check_probe(loaded.encoder, probe, named, settings.max_new_tokens, rows)
