"""From a copy of a benchmark to the files of a run: loaded, looked at for damage, written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from unsee.benchmarks.damage import damage
from unsee.benchmarks.files import check_new, write_benchmark
from unsee.benchmarks.source import open_source
from unsee.benchmarks.spec import BenchmarkSpec, Selection
from unsee.data.example import Benchmark
from unsee.errors import InputError


@dataclass(frozen=True)
class Prepared:
    """A benchmark that was written.

    Attributes:
        benchmark: what it holds.
        settings: the YAML file that names its sets.
        anomalies: what is wrong with the copy it came from, a line each.
    """

    benchmark: Benchmark
    settings: Path
    anomalies: list[str]


def prepare(
    source: str | Path, spec: BenchmarkSpec, selection: Selection, out: Path, allow_anomalies: bool = False
) -> Prepared:
    """Write the sets of one request as files.

    Args:
        source: a folder in the layout of the hub, or a hub id.
        spec: which benchmark it is.
        selection: what of it is written.
        out: a folder that does not exist yet.
        allow_anomalies: whether a copy that is not whole is written as well.

    Raises:
        InputError: for anything wrong with the benchmark, a copy that is not whole, or a folder that exists.
    """
    check_new(out)
    opened = open_source(source, spec.folders)
    benchmark = spec.load(opened, selection)
    anomalies = damage(benchmark, opened, spec, selection.split)
    if anomalies and not allow_anomalies:
        more = f" (and {len(anomalies) - 1} more)" if len(anomalies) > 1 else ""
        raise InputError(f"{source}: {anomalies[0]}{more}; fetch it anew, or write it as it is with --allow-anomalies")
    return Prepared(benchmark, write_benchmark(benchmark, out, spec.max_new_tokens), anomalies)
