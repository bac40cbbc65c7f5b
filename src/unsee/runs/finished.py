"""A finished run: what lies in its folder, read again for a report, or for a run that comes after it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unsee.data import Benchmark, Example
from unsee.errors import InputError
from unsee.evaluation.after import Earlier
from unsee.evaluation.compared import BASE, COMPARED, compared
from unsee.evaluation.records import read_records
from unsee.evaluation.run_scores import RunScores, read_scores, values_of
from unsee.evaluation.unreadable import without
from unsee.runs.advice import advise
from unsee.runs.gold import GOLD
from unsee.runs.recalled import recall
from unsee.runs.sets import load_sets, probe_names
from unsee.runs.settings import Settings, kept_card, parse, read_yaml
from unsee.runs.taken_over import Records, read_mark


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, and what is in it."""

    folder: Path
    settings: Settings
    benchmark: Benchmark
    records: dict[str, Records]  # "base" and the method
    scores: RunScores
    lost: Sequence[str] = ()  # why data could not be read again, a line each; the records hold what was asked

    @property
    def model(self) -> Path:
        """The unlearned checkpoint or adapter."""
        return self.folder / "model"


def open_run(folder: Path) -> Run:
    """Read a finished run again, for a report.

    Its data need not be where they were: what was asked and said is in its records; see `unsee.runs.recalled`.

    Raises:
        InputError: when the folder holds no finished run.
    """
    if not os.path.isdir(folder):
        raise InputError(f"{folder}: no such folder; give one that unsee unlearn wrote")
    for name in ("run.yaml", "scores.json"):
        if not (folder / name).is_file():
            raise InputError(
                f"{folder}: holds no finished run ({name} is missing); give a folder that unsee unlearn wrote"
            )
    stored = {**read_yaml(folder / "run.yaml"), "out": str(folder)}
    if source := read_mark(folder / "records" / GOLD).get("source"):
        stored["gold"] = source  # which may have been added later
    settings = parse(stored, str(folder / "run.yaml"), kept_card(folder / "run.yaml"))
    scores = read_scores(folder / "scores.json")
    records = {
        model: {probe: read_records(folder / "records" / model / f"{probe}.jsonl") for probe in probes}
        for model, probes in scores.models.items()
    }
    _check_complete(scores, settings, folder / "scores.json")
    if not scores.knows(*COMPARED):
        earlier = earlier_of(settings)
        sets = without(load_sets(settings, earlier, check_images=False), scores.unreadable)
        seen = compared(sets, records, {}, settings.seed, settings.lexicon, earlier)
        scores = scores.model_copy(update=values_of(seen))
    if not scores.knows("advice"):
        scores = scores.model_copy(update={"advice": advise(scores, settings)})
    benchmark, lost = recall(settings, scores, records[BASE], _asked_earlier(settings))
    return Run(folder, settings, benchmark, records, scores, lost)


def earlier_of(settings: Settings) -> Earlier | None:
    """What the run that this one comes after was to remove, with its records; None where it comes after none.

    Raises:
        InputError: that run cannot be opened, cannot be asked again, or was to remove nothing.
    """
    if settings.after is None:
        return None
    run = open_run(Path(settings.after))
    if run.lost:
        raise InputError(f"after: {settings.after} cannot be asked again: {run.lost[0]}")
    # What was removed before that run is gated by the base that knew it, not by one that it was removed from.
    before = earlier_of(run.settings)
    base = {**run.records[BASE], **(before.base if before else {})}
    return Earlier.of(run.benchmark.probes, base, run.records[run.settings.card.name], settings.after)


def _asked_earlier(settings: Settings) -> dict[str, Sequence[Example]]:
    """The rows that an earlier run asked, by probe; none where it has gone, as the records hold what was asked."""
    try:
        earlier = earlier_of(settings)
    except InputError:
        return {}
    return {probe.name: probe.examples for probe in earlier.probes} if earlier else {}


def _check_complete(scores: RunScores, settings: Settings, path: Path) -> None:
    """InputError unless scores are about both models of a run and all of its probes, as far as they were looked at."""
    models = {BASE, settings.card.name}
    probes = probe_names(settings)
    held = {f"models.{model}": (set(scores.models[model]), probes) for model in models & set(scores.models)}
    held["models"] = (set(scores.models), models)
    wanted = {"judged": models, "condition": {settings.card.name}, "pictures": probes, "roles": probes}
    held |= {field: (set(getattr(scores, field)), names) for field, names in wanted.items() if scores.knows(field)}
    for field, (names, due) in held.items():
        if missing := sorted(due - names):
            raise InputError(f"{path}: {field}: lacks {missing[0]}; the file is not as it was written")


def fingerprint(run: Run) -> str:
    """One digest over the weights and records of a run, by which two runs can be compared."""
    total = hashlib.sha256()
    for path in sorted([*run.model.glob("*.safetensors"), *(run.folder / "records").rglob("*.jsonl")]):
        total.update(json.dumps(str(path.relative_to(run.folder))).encode() + path.read_bytes())
    return total.hexdigest()
