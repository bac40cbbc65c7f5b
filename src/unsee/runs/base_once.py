"""The base is measured once for all runs that share it: its records are taken over from a run that has them.

The same base is one with the same weights (an adapter that adds nothing yet aside), asked the same rows in the same way
by the same versions of what computes: greedy answers are then the same, whatever method comes afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from unsee.data import Benchmark, Probe
from unsee.errors import InputError
from unsee.evaluation.compared import BASE
from unsee.runs.folder import Measured, hashes_of, measured_in
from unsee.runs.settings import Settings
from unsee.runs.taken_over import read_matching
from unsee.system.files import write_bytes, write_json
from unsee.system.typed import read_typed
from unsee.vlm import LoadedModel

NOTE = Path("checkpoints", "taken_over.json")  # apart from the records, which are those of any run on this base


def records_in(given: Path) -> Path:
    """Where the records are of a run, or of a folder that holds nothing else."""
    return given / "records" / BASE if (given / "run.yaml").is_file() else given


def check_base_records(given: Path, settings: Settings, benchmark: Benchmark, loaded: LoadedModel) -> None:
    """See that records are of the model and the rows of a run, before anything is written.

    Args:
        given: a run, which says what it measured, or a folder of records, whose rows alone can be compared.
        settings: of the run.
        benchmark: whose probes would be asked.
        loaded: the model of the run.

    Raises:
        InputError: the records are of another model, of other rows, or were made otherwise.
    """
    if not given.is_dir():
        raise InputError(f"--base-records {given}: no such folder; give a run, or a folder of records")
    if (given / "run.yaml").is_file():
        theirs, hashes = measured_in(given), hashes_of(benchmark, loaded)
        if theirs.model != hashes["model"]:
            raise InputError(f"--base-records {given}: that run starts from another model")
        for key, value in theirs.settings.items():
            if (ours := getattr(settings, key)) != value:
                raise InputError(f"--base-records {given}: {key} was {value} there and is {ours} here")
    read_matching(records_in(given), benchmark.probes, "--base-records")


def has_base(folder: Path, probes: Sequence[Probe]) -> bool:
    """Whether the folder of a run holds all records of its base."""
    return not _missing(folder, probes)


def take_over(folder: Path, given: Path | None, probes: Sequence[Probe]) -> None:
    """Copy records of the base that the folder of a run lacks, and note whose they are.

    Args:
        folder: of the run, with its `run.yaml`.
        given: a run or a folder of records, already checked; None looks at the runs beside this one.
        probes: that would be asked.
    """
    sources: dict[str, str] = {}
    for probe in _missing(folder, probes):
        source = given if given is not None else _beside(folder, probe)
        if source is not None:
            content = (records_in(source) / f"{probe.name}.jsonl").read_bytes()
            write_bytes(folder / "records" / BASE / f"{probe.name}.jsonl", content)
            sources[probe.name] = taken_over(source).get(probe.name, str(source))  # who asked, not who had it
    if sources:
        write_json(folder / NOTE, {**taken_over(folder), **sources})


def taken_over(folder: Path) -> dict[str, str]:
    """From which run the records of the base are, by probe; empty where a run has measured it by itself."""
    sources: dict[str, str] = read_typed(folder / NOTE, dict[str, str]) if (folder / NOTE).is_file() else {}
    return sources


def notice(found: dict[str, str]) -> str:
    """One line on records that were taken over; empty without any."""
    if not found:
        return ""
    places = list(dict.fromkeys(found.values()))
    return (
        f"The base was asked {', '.join(found)} by {' and '.join(places)} already; these records were taken over "
        "(--no-share-base asks again)."
    )


def _missing(folder: Path, probes: Sequence[Probe]) -> list[Probe]:
    return [probe for probe in probes if not (folder / "records" / BASE / f"{probe.name}.jsonl").is_file()]


def _beside(folder: Path, probe: Probe) -> Path | None:
    """A run in the same folder as this one that has asked the same base the same rows."""
    ours = measured_in(folder)
    for other in sorted(folder.absolute().parent.iterdir()):
        if other.name == folder.absolute().name or not (other / "records" / BASE / f"{probe.name}.jsonl").is_file():
            continue
        try:
            if _alike(ours, measured_in(other), probe.name):
                read_matching(other / "records" / BASE, [probe], str(other))
                return other
        except InputError:  # somebody has changed it; it is as good as not there
            continue
    return None


def _alike(ours: Measured, theirs: Measured, probe: str) -> bool:
    same = ours.probes[probe] == theirs.probes.get(probe)
    return same and asdict(replace(ours, probes={})) == asdict(replace(theirs, probes={}))
