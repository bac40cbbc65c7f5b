"""A benchmark as files: one JSON Lines file a set, pictures once, and the settings that `unsee unlearn` takes."""

from __future__ import annotations

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

SETTINGS = "data.yaml"


def write_benchmark(benchmark: Benchmark, folder: Path, max_new_tokens: int | None = None) -> Path:
    """Write every set of a benchmark; the folder appears when it is whole.

    Args:
        benchmark: what to write; empty sets have no file.
        folder: where to; it does not exist yet.
        max_new_tokens: measured answers are cut there; None leaves that to the run.

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
    values["request"] = benchmark.request
    if max_new_tokens is not None:
        values["max_new_tokens"] = max_new_tokens
    head = f"# {benchmark.name}\n# unsee unlearn {SETTINGS} --model MODEL --out runs/npo\n"
    with reserved(folder), whole_folder(folder) as temporary:
        # Probes may be called like a set, as in "forget": they have names of their own on disk.
        named = [*files.items(), *((f"probe_{name}", rows) for name, rows in probes.items())]
        for name, rows in progress(named, "writing the sets"):
            write_jsonl(rows, temporary / f"{name}.jsonl")
        write_text(temporary / SETTINGS, head + dump_yaml(values))
    return folder / SETTINGS


def check_new(folder: Path) -> None:
    """InputError if a folder holds something already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists already; give a folder that does not exist yet")
