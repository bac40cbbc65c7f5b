"""The folder of a run: whether it may be written to, which run it holds, and how it is given up."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unsee import __version__
from unsee.data import Benchmark, digest
from unsee.errors import InputError
from unsee.files import read_text, write_text
from unsee.lock import is_free, locked
from unsee.settings import Settings
from unsee.strict import dump_yaml, parse_yaml
from unsee.vlm import LoadedModel
from unsee.vlm.reference import weights_digest

DEMO = "demo.yaml"  # which demo a folder holds
LIBRARIES = ("torch", "transformers", "peft", "accelerate", "datasets", "safetensors")


@contextmanager
def claimed(out: Path, what: dict[str, Any]) -> Iterator[None]:
    """Make a folder a demo's own, or see that it is already, and keep other processes out of it meanwhile.

    Args:
        out: the folder.
        what: which demo, and what it depends on.

    Raises:
        InputError: it is a file, holds something else, or another process is at work there.
    """
    _check_demo(out, what)
    with locked(out):
        _check_demo(out, what)
        write_text(out / DEMO, dump_yaml(what))
        yield


def _check_demo(out: Path, what: dict[str, Any]) -> None:
    mark = out / DEMO
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; give a folder that does not exist yet")
    if mark.is_file() and parse_yaml(read_text(mark), str(mark)) == what:
        return
    if out.is_dir() and not is_free(out):
        held = f"another demo ({read_text(mark).strip()})" if mark.is_file() else "other files"
        raise InputError(f"--out {out} holds {held}; give a folder that does not exist yet, or remove that one")


def check_folder(folder: Path, settings: Settings) -> None:
    """InputError unless a run with these settings may be written to this folder, or goes on in it."""
    existing = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not os.path.isdir(existing):
        inside = "" if existing == folder else f", so {folder} cannot be made"
        raise InputError(f"out: {existing} is a file{inside}; give a folder that does not exist yet")
    if not os.access(existing, os.R_OK | os.W_OK | os.X_OK):
        raise InputError(f"out: no permission to write to {existing}; give a folder of your own")
    if existing != folder or is_free(folder):
        return  # a run that was killed while it wrote its very first file leaves no more than that
    if not (folder / "run.yaml").is_file():
        raise InputError(f"out: {folder} is not empty and holds no run; give a folder that does not exist yet")
    _check_same(folder, _stored(folder)["settings"], _kept(settings))


def start_folder(folder: Path, settings: Settings, benchmark: Benchmark, loaded: LoadedModel) -> None:
    """Write `run.yaml`, or see that the one that is there was made from the same model and data."""
    hashes = {
        "model": weights_digest(loaded.model),
        "forget": digest(benchmark.forget),
        "retain": digest(benchmark.retain),
        "preserve": digest(benchmark.preserve),
        "probes": {probe.name: digest(probe.examples) for probe in benchmark.probes},
    }
    if (folder / "run.yaml").is_file():
        _check_same(folder, _stored(folder)["hashes"], hashes, "the content of ")
        return
    versions = {"unsee": __version__, "python": platform.python_version()}
    versions |= {name: importlib.metadata.version(name) for name in LIBRARIES}
    content = {"settings": _kept(settings), "versions": versions, "hashes": hashes}
    write_text(folder / "run.yaml", dump_yaml(content))


def abandon_folder(folder: Path) -> None:
    """Take away what a run that can never go on has written."""
    for name in ("records", "checkpoints"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "run.yaml").unlink()


def _kept(settings: Settings) -> dict[str, Any]:
    """The settings as `run.yaml` holds them: all but its own place."""
    return settings.model_dump(mode="json", exclude={"out"})


def _stored(folder: Path) -> dict[str, Any]:
    """What the `run.yaml` of a folder holds."""
    try:
        stored = parse_yaml(read_text(folder / "run.yaml"), "run.yaml")
    except InputError:
        stored = None
    if not isinstance(stored, dict) or not all(isinstance(stored.get(key), dict) for key in ("settings", "hashes")):
        raise InputError(f"out: {folder} holds a run.yaml that no run wrote; give a folder that does not exist yet")
    return stored


def _check_same(folder: Path, stored: dict[str, Any], wanted: dict[str, Any], what: str = "") -> None:
    key = next((key for key in [*wanted, *stored] if stored.get(key) != wanted.get(key)), None)
    if key is not None:
        there, here = (_short(values.get(key)) for values in (stored, wanted))
        raise InputError(
            f"out: {folder} holds another run ({what}{key} there is {there}, here {here}); "
            "give another folder, or remove that one"
        )


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
