"""Gold, the model that never learned what is to go: what it says to the probes of a run.

It is a target: a method should answer about what is to go as gold does. Gold is a model, which is asked when the run
has measured its own, or a folder of records that another run left. Either way its records lie in `records/gold`.
"""

from __future__ import annotations

import gc
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unsee.data import Benchmark, Probe
from unsee.errors import InputError
from unsee.evaluation.measure import check_numbers, check_probe, measure_all
from unsee.evaluation.unreadable import find_unreadable, rows_of
from unsee.runs.settings import Settings
from unsee.runs.taken_over import MARK, Records, digest_of, is_records_folder, keep, read_mark, read_matching
from unsee.system import processes
from unsee.system.files import write_json
from unsee.vlm import LoadedModel, load
from unsee.vlm.pretrained import fingerprint

GOLD = "gold"


def check_gold_model(folder: Path, settings: Settings, benchmark: Benchmark) -> None:
    """See that gold can be asked, before anything is written. It is loaded for that, and its memory is free again.

    Args:
        folder: of the run; a gold that it has measured already is not loaded.
        settings: of the run.
        benchmark: whose probes it will be asked.

    Raises:
        InputError: gold is no model, or cannot be asked a row.
    """
    source = settings.gold
    if source is not None and (Path(source) / "run.yaml").is_file():
        raise InputError(f"gold: {source} is a run; give its model ({source}/model) or {source}/records/base")
    if not is_asked_anew(folder, settings, [probe.name for probe in benchmark.probes]):
        return
    encoder = load_gold(settings).encoder
    unreadable = find_unreadable(benchmark, encoder)
    for probe in benchmark.probes:
        skip = rows_of(unreadable, f"probe {probe.name}")
        check_probe(encoder, probe, f"gold, probe {probe.name}", settings.max_new_tokens, skip)


def is_asked_anew(folder: Path, settings: Settings, probes: Sequence[str]) -> bool:
    """Whether gold is a model that the folder of a run has no records of."""
    source = settings.gold
    if source is None or is_records_folder(Path(source)):
        return False
    return not _is_measured(folder / "records" / GOLD, source, probes)


def check_gold_records(settings: Settings, probes: Sequence[Probe]) -> None:
    """InputError where gold is a folder of records, and they are not of these probes."""
    if settings.gold is not None and is_records_folder(Path(settings.gold)):
        read_matching(Path(settings.gold), probes, GOLD)


def known_gold(folder: Path, settings: Settings) -> str | None:
    """Where gold comes from: the settings say it, or else what lies in the folder of the run."""
    source: str | None = settings.gold or read_mark(folder / "records" / GOLD).get("source")
    return source


def gold_records(folder: Path, settings: Settings, probes: Sequence[Probe]) -> Records:
    """What gold says, from the run's folder, from a folder of records, or by asking the model.

    Args:
        folder: of the run, where the records are kept.
        settings: of the run, which has a gold; see `known_gold`.
        probes: of the run.

    Raises:
        InputError: gold cannot be read or asked, or its records are of other rows.
    """
    place, names = folder / "records" / GOLD, [probe.name for probe in probes]
    source = str(known_gold(folder, settings))
    if is_records_folder(Path(source)):
        by_probe = read_matching(Path(source), probes, GOLD)
        mark = {"source": source, "fingerprint": digest_of(Path(source), names)}
        processes.once(lambda: keep(place, by_probe, mark) if read_mark(place) != mark else None)
    elif not _is_measured(place, source, names):
        _measure(place, settings.model_copy(update={"gold": source}), probes)
    by_probe = read_matching(place, probes, GOLD)
    for records in by_probe.values():
        check_numbers(records, f"gold ({source})")
    return by_probe


def _is_measured(place: Path, source: str, probes: Sequence[str]) -> bool:
    """Whether the records of a model are all there. One that has gone since cannot be another one."""
    marked = read_mark(place)
    same = marked.get("source") == source and (not _exists(source) or marked["fingerprint"] == fingerprint(source))
    return same and all((place / f"{name}.jsonl").is_file() for name in probes)


def _exists(source: str) -> bool:
    """Whether a model is where it was; a hub id always is."""
    return not Path(source).is_absolute() or Path(source).exists()


def _measure(place: Path, settings: Settings, probes: Sequence[Probe]) -> None:
    """Ask the model; what was asked before goes on, unless it was another model."""
    mark = {"source": settings.gold, "fingerprint": fingerprint(str(settings.gold))}

    def begin() -> None:
        if read_mark(place) != mark:
            shutil.rmtree(place, ignore_errors=True)
            write_json(place / MARK, mark)

    loaded = load_gold(settings)
    processes.once(begin)
    measure_all(loaded, probes, place, settings.eval_batch_size, settings.max_new_tokens)
    processes.wait()
    del loaded
    gc.collect()


def load_gold(settings: Settings) -> LoadedModel:
    """The gold model of a run; InputError where it cannot be loaded."""
    options: dict[str, Any] = {"dtype": settings.dtype, "quantize": settings.quantize, "parts": ()}
    return load(str(settings.gold), **options, trust_remote_code=settings.trust_remote_code)
