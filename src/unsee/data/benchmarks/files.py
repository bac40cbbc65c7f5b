"""A benchmark as files: one JSON Lines file a set, pictures once, and the settings that `unsee unlearn` takes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from unsee.data.example import Benchmark
from unsee.data.sets import write_jsonl
from unsee.errors import InputError
from unsee.files import write_text
from unsee.progress import progress
from unsee.strict import dump_yaml

SETTINGS = "data.yaml"


def write_benchmark(benchmark: Benchmark, folder: Path) -> Path:
    """Write every set of a benchmark; the folder appears when it is whole.

    Args:
        benchmark: what to write; empty sets have no file.
        folder: where to; it does not exist yet.

    Returns:
        The YAML file that names the sets, the probes that repeat training rows, and the request.

    Raises:
        InputError: the folder exists, a picture cannot be read, or the place cannot be written to.
    """
    check_new(folder)
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    sets = {name: getattr(benchmark, name) for name in ("forget", "retain", "preserve")}
    files = {name: rows for name, rows in sets.items() if rows}
    probes = {probe.name: probe.examples for probe in benchmark.probes if probe.examples}
    # Probes may be called like a set, as in "forget": they have names of their own on disk.
    for name, rows in progress([*files.items(), *((f"probe_{n}", r) for n, r in probes.items())], "writing the sets"):
        write_jsonl(rows, partial / f"{name}.jsonl")
    values: dict[str, Any] = {name: f"{name}.jsonl" for name in files}
    values["probes"] = {name: f"probe_{name}.jsonl" for name in probes}
    values["trained_on"] = [probe.name for probe in benchmark.probes if probe.trained_on and probe.examples]
    values["request"] = benchmark.request
    head = f"# {benchmark.name}\n# unsee unlearn {SETTINGS} --model MODEL --out runs/npo\n"
    write_text(partial / SETTINGS, head + dump_yaml(values))
    put_in_place(partial, folder)
    return folder / SETTINGS


def check_new(folder: Path) -> None:
    """InputError if a folder holds something already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists already; give a folder that does not exist yet")


def put_in_place(partial: Path, folder: Path) -> None:
    """Give a folder that is whole its name."""
    if folder.is_dir():
        folder.rmdir()
    partial.rename(folder)
