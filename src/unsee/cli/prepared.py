"""What `unsee benchmark write` does: ask the model, if the benchmark is about what it knows, and write the files."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unsee.errors import InputError

if TYPE_CHECKING:
    from unsee.benchmarks.spec import BenchmarkSpec, Selection
    from unsee.data.example import Benchmark

GATE_BATCH = 16  # rows per forward pass where a model is asked whom it knows


@dataclass(frozen=True)
class Start:
    """What a benchmark is written for.

    Attributes:
        model: that the settings name; None leaves it to the run.
        requests: in how many groups, one after the other, the people are to be forgotten.
        dtype: of its weights where it is asked whom it knows.
        trust_remote_code: whether code that comes with it is run then.
    """

    model: str | None = None
    requests: int = 1
    dtype: str = "float32"
    trust_remote_code: bool = False

    @property
    def place(self) -> str | None:
        """The model as settings anywhere can name it."""
        here = self.model is not None and Path(self.model).expanduser().exists()
        return str(Path(str(self.model)).expanduser().resolve()) if here else self.model


def write(
    kind: str, source: str, out: Path, allow_anomalies: bool = False, start: Start = Start(), **options: Any
) -> dict[str, Any]:
    """What `unsee benchmark write --json` prints.

    Args:
        kind: as `unsee.benchmarks.find` takes it.
        source: a folder, or a hub id.
        out: a folder that does not exist yet.
        allow_anomalies: whether a copy that is not whole is written as well.
        start: what it is written for.
        options: of `unsee.benchmarks.select`.

    Raises:
        InputError: for anything wrong with the benchmark, a copy that is not whole, a folder that exists, or a model
            that is missing or cannot be asked.
    """
    from unsee.benchmarks import find, select
    from unsee.benchmarks.files import check_new
    from unsee.benchmarks.prepare import prepare

    spec, told = find(kind), {}
    selection = select(spec, **options)
    check_new(out)
    if spec.gate is not None:
        known = _known(spec, source, selection, start)
        told = {"known": known, "rule": spec.gate.rule}
        selection = replace(selection, known=tuple(known))
    prepared = prepare(source, spec, selection, out, allow_anomalies, start.place, start.requests)
    settings = shlex.quote(str(prepared.settings))
    summary = {**_described(prepared.benchmark), "folder": str(out), "settings": str(prepared.settings), **told}
    if start.requests > 1:
        requests = list(map(_described, prepared.requests))
        return {**summary, "requests": requests, "anomalies": prepared.anomalies, "next": f"sh {settings} --method npo"}
    model = "" if start.model else " --model MODEL"
    return {**summary, "anomalies": prepared.anomalies, "next": f"unsee unlearn {settings}{model} --out runs/npo"}


def _described(benchmark: Benchmark) -> dict[str, Any]:
    rows = {name: len(getattr(benchmark, name)) for name in ("forget", "retain", "preserve")}
    return {
        "benchmark": benchmark.name,
        "rows": {**rows, **{probe.name: len(probe) for probe in benchmark.probes}},
        "trained_on": [probe.name for probe in benchmark.probes if probe.trained_on],
    }


def _known(spec: BenchmarkSpec, source: str, selection: Selection, start: Start) -> dict[str, float]:
    """Whom the model knows, asked now."""
    if spec.gate is None or start.model is None:
        raise InputError(f"{spec.title} is about people whom a model knows; give the model: --model MODEL")
    from unsee.benchmarks.source import open_source

    opened = open_source(source, spec.folders)
    spec.gate.probes(opened, selection.seed)  # what is wrong with the source is said before a model is loaded
    from unsee.evaluation.knowledge import known_people
    from unsee.vlm import load

    loaded = load(start.model, parts=(), dtype=start.dtype, trust_remote_code=start.trust_remote_code)
    return dict(known_people(spec.gate, opened, selection.seed, loaded, GATE_BATCH))
