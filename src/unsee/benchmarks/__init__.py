"""Published benchmarks as a `Benchmark`, from the hub or from a folder in its layout.

Each benchmark is one folder here that holds its `SPEC`, and is known by the name of that folder. Neither a
benchmark nor what reads its files is imported before somebody asks for it, so that `names` costs a command nothing.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from unsee.errors import InputError, one_of

if TYPE_CHECKING:
    from unsee.benchmarks.spec import BenchmarkSpec, Selection
    from unsee.data.example import Benchmark


def names() -> list[str]:
    """What benchmarks there are."""
    return sorted(module.name for module in iter_modules(__path__) if module.ispkg)


def find(name: str) -> BenchmarkSpec:
    """A benchmark by its name; InputError with the nearest one for an unknown one."""
    one_of("benchmark", name, names())
    spec: BenchmarkSpec = import_module(f"{__name__}.{name}").SPEC
    return spec


def select(
    spec: BenchmarkSpec,
    split: str | None = None,
    request: str | None = None,
    *,
    seed: int = 0,
    probe_rows: int | None = None,
    training: str | Path | None = None,
) -> Selection:
    """What of a benchmark is loaded, with the defaults of its spec.

    Raises:
        InputError: for an unknown split or request, or training questions that the benchmark holds itself.
    """
    from unsee.benchmarks.spec import Selection

    if training is not None and spec.training is None:
        others = [name for name in names() if find(name).training]
        raise InputError(f"training questions of their own belong to {', '.join(others)}, not to {spec.name}")
    selection = Selection(split or spec.split, request or spec.request, seed, probe_rows, training)
    one_of("split", selection.split, spec.splits)
    one_of("request", selection.request, spec.requests)
    return selection


def load_benchmark(
    source: str | Path,
    kind: str,
    split: str | None = None,
    request: str | None = None,
    *,
    seed: int = 0,
    probe_rows: int | None = None,
    training: str | Path | None = None,
) -> Benchmark:
    """A published benchmark: what to forget, what to keep, and what is measured.

    Args:
        source: a hub id, or a folder in the layout of the hub; `unsee world export` writes one.
        kind: as `names` lists it.
        split: what is forgotten; that of the benchmark's spec if not given, such as forget10.
        request: "visual", "textual" or "both"; that of the benchmark's spec if not given.
        seed: of whatever is drawn: wordings, the order of options, test images.
        probe_rows: measure at most so many rows per probe, spread evenly; None for all.
        training: the repository with the training questions, of a benchmark that has one, if `source` has none.

    Raises:
        InputError: for an unknown kind, split or request, and for a file, column or row that is not as published.
    """
    from unsee.benchmarks.source import open_source

    spec = find(kind)
    selection = select(spec, split, request, seed=seed, probe_rows=probe_rows, training=training)
    return spec.load(open_source(source), selection)
