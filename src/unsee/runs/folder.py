"""The folder of a run: whether it may be written to, which run it holds, and how it is given up."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from unsee import __version__
from unsee.data import Benchmark, digest
from unsee.errors import InputError
from unsee.methods.registry import code_of
from unsee.runs.settings import SOURCES, Settings
from unsee.system.files import read_text, write_json, write_text
from unsee.system.lock import is_free, locked
from unsee.system.strict import dump_yaml, parse_yaml
from unsee.system.typed import typed
from unsee.vlm import LoadedModel
from unsee.vlm.reference import start_digest

# What a run writes, and `--overwrite` takes away.
OWN = ("records", "checkpoints", "model", "scores.json", "report.html")
LONGEST_NAME = 255  # bytes of a file name on the file systems in use
FAILED = "failed.json"  # why a run ended that may be followed by another one in the same folder
MAY_DIFFER = ("eval_batch_size", "save_steps", "keep_checkpoints", "gold")  # when a run goes on: they change no outcome
ADDED = {  # settings that the run.yaml of an earlier version lacks, and what they were then
    "retain_preserved": False,
    "find_rate": False,
}
OF_RECORDS = ("dtype", "quantize", "max_new_tokens")  # what records depend on, beside the model and the probes
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


def check_place(folder: Path) -> Path:
    """See that a folder can be written to, or made.

    Returns:
        The folder itself, or the innermost of those above it that is there.

    Raises:
        InputError: it or one above it is a file, or may not be written to.
    """
    if long := next((part for part in folder.parts if len(os.fsencode(part)) > LONGEST_NAME), None):
        raise InputError(f"out: {long} is too long for a name; give one of at most {LONGEST_NAME} bytes")
    existing = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not os.path.isdir(existing):
        inside = "" if existing == folder else f", so {folder} cannot be made"
        raise InputError(f"out: {existing} is a file{inside}; give a folder that does not exist yet")
    if not os.access(existing, os.R_OK | os.W_OK | os.X_OK):
        raise InputError(f"out: no permission to write to {existing}; give a folder of your own")
    return existing


def check_folder(folder: Path, settings: Settings, overwrite: bool = False) -> None:
    """InputError unless a run with these settings may be written to this folder, or goes on in it.

    Args:
        folder: of the run.
        settings: of the run.
        overwrite: whether any run that is there is to make room.
    """
    if check_place(folder) != folder or is_free(folder):
        return  # a run that was killed while it wrote its very first file leaves no more than that
    if not (folder / "run.yaml").is_file():
        raise InputError(f"out: {folder} is not empty and holds no run; give a folder that does not exist yet")
    if overwrite or (folder / FAILED).is_file():
        _check_outside(folder, settings)
    else:
        check_same(folder, stored_in(folder)["settings"], _kept(settings))


def is_begun(folder: Path) -> bool:
    """Whether a folder holds a run that goes on, or is finished; what was given for it was looked at then."""
    return (folder / "run.yaml").is_file() and not (folder / FAILED).is_file()


def start_folder(
    folder: Path, settings: Settings, benchmark: Benchmark, loaded: LoadedModel, overwrite: bool = False
) -> None:
    """Write `run.yaml`, or see that the one that is there was made from the same model and data.

    What another run left that failed, or is to be overwritten, is taken away. Records of the base that this run would
    make again stay when the other one failed.
    """
    hashes = hashes_of(benchmark, loaded)
    if code := code_of(settings.method):
        hashes["method"] = code
    kept = _kept(settings)
    if (folder / "run.yaml").is_file():
        if overwrite:
            _clear(folder)
        elif not (folder / FAILED).is_file():
            check_same(folder, stored_in(folder)["hashes"], hashes, "the content of ")
            return
        else:
            _clear_failed(folder, kept, hashes)
    content = {"settings": kept, "versions": versions(), "hashes": hashes}
    if settings.card.source:
        content["method"] = asdict(settings.card)  # the run can be read without its code
    write_text(folder / "run.yaml", dump_yaml(content))
    (folder / FAILED).unlink(missing_ok=True)  # last: whoever is killed before starts with the same again


def versions() -> dict[str, str]:
    """Of this program and what it rests on."""
    own = {"unsee": __version__, "python": platform.python_version()}
    return own | {name: importlib.metadata.version(name) for name in LIBRARIES}


def hashes_of(benchmark: Benchmark, loaded: LoadedModel) -> dict[str, Any]:
    """Digests of the model and the data of a run, as `run.yaml` holds them."""
    return {
        "model": start_digest(loaded.model),
        "forget": digest(benchmark.forget),
        "retain": digest(benchmark.retain),
        "preserve": digest(benchmark.preserve),
        "probes": {probe.name: digest(probe.examples) for probe in benchmark.probes},
    }


@dataclass(frozen=True)
class Measured:
    """What the records of a run's base depend on."""

    model: str  # digest of its weights
    probes: dict[str, str]  # by name, digest of the rows
    settings: dict[str, Any]  # of `OF_RECORDS`
    versions: dict[str, str]  # of this program and what it rests on


def measured_in(folder: Path) -> Measured:
    """What the base of a run was measured with, by its `run.yaml`.

    Raises:
        InputError: there is none, or it is not as a run wrote it.
    """
    stored, where = stored_in(folder), str(folder / "run.yaml")
    hashes, settings = typed(stored["hashes"], _Hashes, where), stored["settings"]
    versions = typed(stored.get("versions", {}), dict[str, str], where)
    return Measured(hashes.model, hashes.probes, {key: settings.get(key) for key in OF_RECORDS}, versions)


class _Hashes(BaseModel):
    model_config = ConfigDict(extra="ignore")

    model: str
    probes: dict[str, str]


def abandon_folder(folder: Path) -> None:
    """Take away what a run that can never go on has written."""
    _clear(folder)
    shutil.rmtree(folder / "records", ignore_errors=True)
    (folder / FAILED).unlink(missing_ok=True)
    (folder / "run.yaml").unlink(missing_ok=True)


def fail_folder(folder: Path, error: Exception, wrong_input: bool) -> None:
    """Keep what a run has finished that ended in an error, but let a run with other settings take its place.

    Args:
        folder: of the run.
        error: that ended it.
        wrong_input: whether it was bound to come. Then nothing is kept of a run that had not come to a checkpoint.
    """
    trained = (folder / "model").is_dir() or any((folder / "checkpoints").glob("checkpoint-*"))
    measured = any((folder / "records").rglob("*.jsonl"))
    if trained or (measured and not wrong_input):
        write_json(folder / FAILED, {"error": str(error)})
    else:
        abandon_folder(folder)


def drop_checkpoints(folder: Path) -> None:
    """Take away the checkpoints of a run whose model is written; each holds the weights and the optimizer's state."""
    for path in (folder / "checkpoints").glob("checkpoint-*"):
        shutil.rmtree(path, ignore_errors=True)


def _clear(folder: Path, base_stays: bool = False) -> None:
    """Take away a run, but for its `run.yaml`; marked as failed meanwhile, so that it is never taken for whole."""
    write_json(folder / FAILED, {"error": "it was being overwritten"})
    places = [folder / name for name in OWN if name != "records"]
    places += [place for place in (folder / "records").glob("*") if not (base_stays and place.name == "base")]
    for place in places:
        shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)


def _clear_failed(folder: Path, settings: dict[str, Any], hashes: dict[str, Any]) -> None:
    """Take away a run that failed, unless it is this one, which goes on then."""
    stored = stored_in(folder)
    if not _differs(stored["settings"], settings) and stored["hashes"] == hashes:
        return
    same_base = all(stored["hashes"].get(key) == hashes[key] for key in ("model", "probes"))
    same_way = all(stored["settings"].get(key) == settings[key] for key in OF_RECORDS)
    _clear(folder, base_stays=same_base and same_way)


def _check_outside(folder: Path, settings: Settings) -> None:
    """InputError when a run reads something that lies in the folder and would be taken away."""
    sources = [getattr(settings, name) for name in SOURCES] + [path for path, _ in settings.every_probe.values()]
    sources += settings.lexicon or ()
    inside = [folder.resolve() / name for name in OWN]
    for source in filter(None, sources):
        path = Path(source).resolve()
        if any(place in (path, *path.parents) for place in inside):
            raise InputError(f"out: {source} lies in {folder}, which would be overwritten; give another folder")


def _kept(settings: Settings) -> dict[str, Any]:
    """The settings as `run.yaml` holds them: all but its own place."""
    return settings.model_dump(mode="json", exclude={"out"})


def _differs(stored: dict[str, Any], wanted: dict[str, Any]) -> str | None:
    """The first thing in which a run that is there is another one than a run that is wanted."""
    keys = [key for key in [*wanted, *stored] if key not in MAY_DIFFER]
    return next((key for key in keys if stored.get(key, ADDED.get(key)) != wanted.get(key)), None)


def stored_in(folder: Path, name: str = "run.yaml") -> dict[str, Any]:
    """What the `run.yaml` of a folder holds, or what else is called as it is.

    Raises:
        InputError: it is not as a run wrote it.
    """
    try:
        stored = parse_yaml(read_text(folder / name), name)
    except InputError:
        stored = None
    if not isinstance(stored, dict) or not all(isinstance(stored.get(key), dict) for key in ("settings", "hashes")):
        raise InputError(f"out: {folder} holds a {name} that no run wrote; give a folder that does not exist yet")
    return stored


def check_same(folder: Path, stored: dict[str, Any], wanted: dict[str, Any], what: str = "") -> None:
    """InputError for the first thing in which a run that is there is another one than a run that is wanted."""
    key = _differs(stored, wanted)
    if key is not None:
        there, here = (_short(values.get(key)) for values in (stored, wanted))
        raise InputError(
            f"out: {folder} holds another run ({what}{key} there is {there}, here {here}); "
            "give another folder, or --overwrite"
        )


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
