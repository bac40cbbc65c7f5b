"""Which runs may stand side by side: those that start from one base, are asked the same, and have one gold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from unsee.errors import InputError
from unsee.report.assemble import gold_result, probes_of
from unsee.report.contents import ModelResult, ProbeInfo
from unsee.runs.finished import Run, open_run
from unsee.runs.folder import measured_in
from unsee.runs.gold import GOLD

Role = str  # what a probe is for, in words


def opened(folders: Sequence[Path]) -> list[Run]:
    """Finished runs that may stand side by side, gold apart.

    Args:
        folders: of the runs; the same one twice counts once.

    Raises:
        InputError: one holds no finished run, or they differ in what they start from or are asked.
    """
    runs = [open_run(folder) for folder in {folder.resolve(): folder for folder in folders}.values()]
    for run in runs[1:]:
        _check_same(runs[0], run)
    return runs


def check_gold(runs: Sequence[Run]) -> None:
    """InputError where two of the runs have different golds; some may have none."""
    golds = [run for run in runs if GOLD in run.records]
    for run in golds[1:]:
        if _answers_of_gold(run) != _answers_of_gold(golds[0]):
            raise InputError(
                f"{golds[0].folder} and {run.folder} have different golds; unsee report RUN --gold GOLD gives each the "
                "same"
            )


def gold_of(runs: Sequence[Run]) -> dict[str, ModelResult]:
    """Gold by its name, of the first run that has it."""
    return next((gold for run in runs if (gold := gold_result(run))), {})


def named(runs: Sequence[Run]) -> dict[str, Run]:
    """Runs by names that tell them apart: the method, and where several have it the end of the folder's path too."""
    methods = [run.settings.card.name for run in runs]
    places = [run.folder.resolve() for run in runs]
    depth = 1
    while len({place.parts[-depth:] for place in places}) < len(places):
        depth += 1
    return {
        method if methods.count(method) == 1 else f"{method} ({'/'.join(place.parts[-depth:])})": run
        for method, place, run in zip(methods, places, runs, strict=True)
    }


def role_of(probe: ProbeInfo) -> Role:
    """What a probe is for, in words."""
    return "not known" if probe.forget is None else "to be forgotten" if probe.forget else "to be kept"


def _check_same(first: Run, other: Run) -> None:
    """InputError for runs whose numbers cannot stand side by side."""
    ours, theirs = measured_in(first.folder), measured_in(other.folder)
    pair = f"{first.folder} and {other.folder}"
    if ours.model != theirs.model:
        raise InputError(f"{pair} start from different models; a comparison has one base")
    if name := next((name for name in ours.probes.keys() ^ theirs.probes.keys()), None):
        raise InputError(f"{pair}: probe {name} was asked in one of them only; a comparison has the same probes")
    if name := next((name for name in ours.probes if ours.probes[name] != theirs.probes[name]), None):
        raise InputError(f"{pair}: probe {name} has other rows in each; a comparison has the same probes")
    for key, value in ours.settings.items():
        if theirs.settings[key] != value:
            raise InputError(f"{pair}: {key} is {value} in one and {theirs.settings[key]} in the other")
    roles = {probe.name: probe.forget for probe in probes_of(other)}
    if probe := next((candidate for candidate in probes_of(first) if candidate.forget != roles[candidate.name]), None):
        raise InputError(f"{pair}: probe {probe.name} is {role_of(probe)} in the first alone; say it with --keep-probe")


def _answers_of_gold(run: Run) -> dict[str, list[str]]:
    return {name: [row.said for row in rows] for name, rows in run.records[GOLD].items()}
