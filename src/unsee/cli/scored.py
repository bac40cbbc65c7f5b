"""What `unsee benchmark score` does: the numbers of a benchmark's paper, from records of one model or of a sequence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from unsee.errors import InputError, one_of

if TYPE_CHECKING:
    from unsee.benchmarks.spec import Scores

_NUMBERED = re.compile(r"(?P<name>.*?)(?P<number>\d+)")
_OTHERS = ("base", "gold")  # whose records lie beside those of the model that a run made


def score(kind: str, records: Path, gold: Path | None = None, truth_ratio: str = "geometric") -> tuple[str, Scores]:
    """The name of a benchmark, and the numbers of its paper from a folder of records.

    Raises:
        InputError: for an unknown kind or truth ratio, or a folder without records of the benchmark.
    """
    from unsee.benchmarks import find, names
    from unsee.metrics.truth_ratio import TruthRatio

    spec = find(kind)
    if spec.score is None:
        scored = [name for name in names() if find(name).score]
        raise InputError(f"benchmark is {kind!r}; it is one of {', '.join(scored)}")
    one_of("truth ratio", truth_ratio, get_args(TruthRatio))
    rows = _records(records)
    scores = spec.score(rows, _records(gold) if gold else None, cast(TruthRatio, truth_ratio))
    if not scores.tasks:
        raise InputError(f"{records}: no records of {spec.name}; it holds {', '.join(rows)}")
    return spec.name, scores


def steps_in(folder: Path) -> dict[str, Path]:
    """The records of every step of a sequence by its name, the base of the first before them; empty for no sequence.

    Args:
        folder: holds a run for each request, as the script that `unsee benchmark write --sequence` wrote leaves them:
            `request_1`, `request_2` and so on.

    Raises:
        InputError: a run has no records of a model that it made, or those of several.
    """
    runs = [path for path in folder.iterdir() if (path / "records").is_dir()] if folder.is_dir() else []
    steps: dict[str, Path] = {}
    for run in sorted(runs, key=_order):
        models = [path for path in (run / "records").iterdir() if path.is_dir() and path.name not in _OTHERS]
        if len(models) != 1:
            raise InputError(f"{run}: {len(models)} models have records beside base; a finished run has those of one")
        if not steps and (run / "records" / "base").is_dir():
            steps["base"] = run / "records" / "base"
        steps[run.name] = models[0]
    return steps


def _order(run: Path) -> tuple[str, int]:
    """ "request_2" before "request_10"."""
    numbered = _NUMBERED.fullmatch(run.name)
    return (numbered["name"], int(numbered["number"])) if numbered else (run.name, 0)


def _records(folder: Path) -> dict[str, list[dict[str, Any]]]:
    from unsee.evaluation.records import read_records

    if not folder.is_dir() or not any(folder.glob("*.jsonl")):
        raise InputError(f"{folder}: holds no records; give RUN/records/NAME of a run")
    return {path.stem: [row.row() for row in read_records(path)] for path in sorted(folder.glob("*.jsonl"))}
