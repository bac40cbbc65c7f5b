"""A benchmark as files: one JSON Lines file a set, pictures once, and the settings that `unsee unlearn` takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unsee.data.example import Benchmark
from unsee.data.sets import write_jsonl
from unsee.errors import InputError
from unsee.system.atomic import whole_folder
from unsee.system.files import write_text
from unsee.system.lock import reserved
from unsee.system.progress import progress
from unsee.system.strict import dump_yaml

SETTINGS, SCRIPT = "data.yaml", "requests.sh"
_SCRIPT_HEAD = """# One request after the other; flags go to all of them, as in: sh requests.sh --method npo --lora 8
set -e
cd "$(dirname "$0")"
"""


def write_benchmark(benchmark: Benchmark, folder: Path, further: Mapping[str, Any] | None = None) -> Path:
    """Write every set of a benchmark; the folder appears when it is whole.

    Args:
        benchmark: what to write; empty sets have no file.
        folder: where to; it does not exist yet.
        further: settings to be written beside those that name the sets.

    Returns:
        The YAML file that names the sets, the probes that repeat training rows, and the request.

    Raises:
        InputError: the folder exists, a picture cannot be read, or the place cannot be written to.
    """
    check_new(folder)
    sets = {name: getattr(benchmark, name) for name in ("forget", "retain", "preserve")}
    files = {name: rows for name, rows in sets.items() if rows}
    probes = {probe.name: probe.examples for probe in benchmark.probes if probe.examples}
    values: dict[str, Any] = {name: f"{name}.jsonl" for name in files}
    for role in ("forget", "keep"):
        of_role = [probe.name for probe in benchmark.probes if probe.role == role and probe.name in probes]
        values[f"{role}_probes"] = {name: f"probe_{name}.jsonl" for name in of_role}
    values["trained_on"] = [probe.name for probe in benchmark.probes if probe.trained_on and probe.examples]
    values |= {"request": benchmark.request, **(further or {})}
    flags = [f" {flag}" for key, flag in (("model", "--model MODEL"), ("out", "--out runs/npo")) if key not in values]
    head = f"# {benchmark.name}\n# unsee unlearn {SETTINGS}{''.join(flags)}\n"
    with reserved(folder), whole_folder(folder) as temporary:
        # Probes may be called like a set, as in "forget": they have names of their own on disk.
        named = [*files.items(), *((f"probe_{name}", rows) for name, rows in probes.items())]
        for name, rows in progress(named, "writing the sets"):
            write_jsonl(rows, temporary / f"{name}.jsonl")
        write_text(temporary / SETTINGS, head + dump_yaml(values))
    return folder / SETTINGS


def write_requests(benchmarks: Sequence[Benchmark], folder: Path, model: str, further: Mapping[str, Any]) -> list[Path]:
    """Write one request after another, each a folder whose settings begin where the run of the one before ended.

    Args:
        benchmarks: as `unsee.benchmarks.sequence.in_requests` parts one.
        folder: where to; it does not exist yet. The runs will lie in it, under `runs`.
        model: what the first request begins with: an absolute path, or a hub id.
        further: settings of all of them.

    Returns:
        The settings of each request, and at last the shell script that carries out all of them.

    Raises:
        InputError: as `write_benchmark`.
    """
    check_new(folder)
    names = [f"request_{number}" for number in range(1, len(benchmarks) + 1)]
    with reserved(folder), whole_folder(folder) as temporary:
        for number, (name, benchmark) in enumerate(zip(names, benchmarks, strict=True)):
            values = {**further, "model": model, "out": f"../runs/{name}"}
            if number:
                before = f"../runs/{names[number - 1]}"
                values |= {"model": f"{before}/model", "after": before}
            write_benchmark(benchmark, temporary / name, values)
        lines = [f'unsee unlearn {name}/{SETTINGS} "$@"\n' for name in names]
        write_text(temporary / SCRIPT, "".join(["#!/bin/sh\n", _SCRIPT_HEAD, *lines]))
    return [*(folder / name / SETTINGS for name in names), folder / SCRIPT]


def check_new(folder: Path) -> None:
    """InputError if a folder holds something already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists already; give a folder that does not exist yet")
