"""Published benchmarks as a `Benchmark`, from the hub or from a folder in its layout.

Each benchmark of this package is one folder here that holds its `SPEC`, and is known by the name of that folder.
Installed packages offer further ones, and a file that the user points at may hold one. Neither a benchmark nor what
reads its files is imported before somebody asks for it, so that `built_in` costs a command nothing.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from unsee.errors import InputError, one_of
from unsee.system.plugins import entry_points_of, load_from_file, names_a_file

if TYPE_CHECKING:
    from unsee.benchmarks.spec import BenchmarkSpec, Selection
    from unsee.data.example import Benchmark

GROUP = "unsee.benchmarks"  # of entry points


def built_in() -> list[str]:
    """The benchmarks of this package: its folders."""
    return sorted(module.name for module in iter_modules(__path__) if module.ispkg)


def names() -> list[str]:
    """The benchmarks of this package, and those that installed ones offer under `unsee.benchmarks`."""
    known = built_in()
    return [*known, *(name for name in entry_points_of(GROUP) if name not in known)]


def find(kind: str) -> BenchmarkSpec:
    """A benchmark.

    Args:
        kind: one of `names`, or a place such as `path/to/file.py:SPEC`, whose file is run.

    Raises:
        InputError: nothing has this name (with the nearest one), it cannot be loaded, or it is no spec.
    """
    if names_a_file(kind):
        return _fitting(load_from_file(kind, "benchmark"), kind)
    if kind in built_in():
        return _fitting(import_module(f"{__name__}.{kind}").SPEC, f"{__name__}.{kind}", kind)
    one_of("benchmark", kind, names())
    plugin = entry_points_of(GROUP)[kind]
    return _fitting(plugin.load(), plugin.places[0], kind)


def _fitting(loaded: Any, place: str, called: str | None = None) -> BenchmarkSpec:
    """What was loaded, if it is a spec with the name that it is called by, or else with one of its own."""
    from unsee.benchmarks.spec import BenchmarkSpec

    if not isinstance(loaded, BenchmarkSpec):
        kind = type(loaded).__name__
        raise InputError(f"benchmark: {place} is {kind}, not a BenchmarkSpec; make one, as unsee.benchmarks.clear does")
    if called is not None and loaded.name != called:
        raise InputError(
            f"benchmark: {place} is called {called!r}, and its name is {loaded.name!r}; give both one name"
        )
    if called is None and loaded.name in built_in():
        raise InputError(f"benchmark: {place} has the name {loaded.name!r} of a built-in one; give it one of its own")
    return loaded


def source_of(kind: str) -> str:
    """Where a benchmark is from, in words; empty for one of this package."""
    if names_a_file(kind):
        return kind
    return "" if kind in built_in() or kind not in names() else entry_points_of(GROUP)[kind].places[0]


def select(
    spec: BenchmarkSpec,
    split: str | None = None,
    request: str | None = None,
    *,
    seed: int = 0,
    probe_rows: int | None = None,
    training: str | Path | None = None,
    known: tuple[str, ...] | None = None,
) -> Selection:
    """What of a benchmark is loaded, with the defaults of its spec.

    Raises:
        InputError: for an unknown split or request, or training questions that the benchmark holds itself.
    """
    from unsee.benchmarks.spec import Selection

    if training is not None and spec.training is None:
        others = [name for name in names() if find(name).training]
        raise InputError(f"training questions of their own belong to {', '.join(others)}, not to {spec.name}")
    selection = Selection(split or spec.split, request or spec.request, seed, probe_rows, training, known)
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
        kind: as `find` takes it.
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
    return spec.load(open_source(source, spec.folders), selection)
