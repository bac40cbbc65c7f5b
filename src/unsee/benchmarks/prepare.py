"""From a copy of a benchmark to the files of a run: loaded, looked at for damage, written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unsee.benchmarks.damage import damage
from unsee.benchmarks.files import check_new, write_benchmark, write_requests
from unsee.benchmarks.sequence import in_requests
from unsee.benchmarks.source import open_source
from unsee.benchmarks.spec import BenchmarkSpec, Selection
from unsee.data.example import Benchmark
from unsee.errors import InputError


@dataclass(frozen=True)
class Prepared:
    """A benchmark that was written.

    Attributes:
        benchmark: what it holds.
        settings: the YAML file that names its sets; of several requests the script that carries them out.
        anomalies: what is wrong with the copy it came from, a line each.
        requests: what was written, one for each request.
    """

    benchmark: Benchmark
    settings: Path
    anomalies: list[str]
    requests: list[Benchmark]


def prepare(
    source: str | Path,
    spec: BenchmarkSpec,
    selection: Selection,
    out: Path,
    allow_anomalies: bool = False,
    model: str | None = None,
    requests: int = 1,
) -> Prepared:
    """Write the sets of one request as files, or those of several that come one after the other.

    Args:
        source: a folder in the layout of the hub, or a hub id.
        spec: which benchmark it is.
        selection: what of it is written.
        out: a folder that does not exist yet.
        allow_anomalies: whether a copy that is not whole is written as well.
        model: what the settings say of it: an absolute path, or a hub id; None leaves it to the run.
        requests: in how many groups, one after the other, the people are to be forgotten.

    Raises:
        InputError: for anything wrong with the benchmark, a copy that is not whole, a folder that exists, or several
            requests without a model.
    """
    check_new(out)
    if requests > 1 and model is None:
        raise InputError("several requests need a model that the first of them begins with: --model MODEL")
    opened = open_source(source, spec.folders)
    benchmark = spec.load(opened, selection)
    anomalies = damage(benchmark, opened, spec, selection.split)
    if anomalies and not allow_anomalies:
        more = f" (and {len(anomalies) - 1} more)" if len(anomalies) > 1 else ""
        raise InputError(f"{source}: {anomalies[0]}{more}; fetch it anew, or write it as it is with --allow-anomalies")
    further: dict[str, Any] = {} if spec.max_new_tokens is None else {"max_new_tokens": spec.max_new_tokens}
    if requests == 1:
        further |= {} if model is None else {"model": model}
        return Prepared(benchmark, write_benchmark(benchmark, out, further), anomalies, [benchmark])
    parts = in_requests(benchmark, requests, selection.seed)
    return Prepared(benchmark, write_requests(parts, out, str(model), further)[-1], anomalies, parts)
