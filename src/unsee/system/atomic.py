"""Files and folders that are there whole or not at all, however many processes write them.

Each writer works under a name of its own in the same folder, which tells whose it is: what a writer that was killed
left can be taken away, and what one is still writing cannot be mistaken for it.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from safetensors import SafetensorError

from unsee.errors import InputError
from unsee.system.owner import Owner

_UNFINISHED = re.compile(r"\..*\.([0-9a-f]{8})-(\d+)-(\d+)-[0-9a-f]{8}\.tmp")  # machine, process, its start
_GIVEN_UP = 24 * 3600  # seconds after which what another machine was writing is taken for left


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A place to write a file to, which is flushed to disk and takes its name when the block ends without an error.

    Raises:
        InputError: if the folder cannot be made or written to, or the disk is full.
    """
    path = Path(path)
    with _writing(path) as temporary:
        yield temporary
        _flush(temporary)
        temporary.replace(path)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """An empty folder to write to, which is flushed to disk and takes its name when the block ends without an error.

    Raises:
        InputError: if it cannot be made or written to, the disk is full, or the name was taken by then.
    """
    path = Path(path)
    with _writing(path) as temporary:
        temporary.mkdir()
        yield temporary
        for entry in temporary.rglob("*"):
            if entry.is_file():
                _flush(entry)
        if path.is_dir() and any(path.iterdir()):
            raise InputError(f"{path} exists already; give a folder that does not exist yet")
        temporary.rename(path)  # onto an empty folder, or none


def remove_unfinished(folder: Path) -> None:
    """Take away what writers that were killed have left in a folder and in those below it."""
    for path in list(folder.rglob(".*.tmp")):
        if is_unfinished(path) and not _at_work(path):
            _remove(path)


def remove_unfinished_of(path: Path) -> None:
    """The same for one file or folder alone."""
    for entry in list(path.parent.glob(".*.tmp")):
        if entry.name.startswith(f".{path.name[:64]}.") and is_unfinished(entry) and not _at_work(entry):
            _remove(entry)


def is_unfinished(path: Path) -> bool:
    """Whether a path has the name of something that is or was being written."""
    return _UNFINISHED.fullmatch(path.name) is not None


@contextmanager
def _writing(path: Path) -> Iterator[Path]:
    """A name that no other writer has; whatever goes wrong, nothing is left under it."""
    owner = Owner.this()
    mark = f"{owner.machine}-{owner.pid}-{owner.started}-{uuid4().hex[:8]}"
    temporary = path.with_name(f".{path.name[:64]}.{mark}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
    except BaseException as error:
        _remove(temporary)
        if reason := _reason(error):
            raise InputError(f"cannot write {path}: {reason}; name a place that can be written") from error
        raise


def _reason(error: BaseException) -> str | None:
    """Why the system did not let something be written; None where it is not to blame."""
    if isinstance(error, SafetensorError):
        return str(error)
    return error.strerror if isinstance(error, OSError) else None  # libraries raise bare ones for reasons of their own


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _at_work(path: Path) -> bool:
    """Whether the writer of something unfinished may still go on with it."""
    match = _UNFINISHED.fullmatch(path.name)
    assert match
    alive = Owner(match[1], int(match[2]), int(match[3])).is_alive()
    if alive is not None:
        return alive
    with suppress(OSError):
        return time.time() - path.stat().st_mtime < _GIVEN_UP
    return False


def _flush(path: Path) -> None:
    """Have the disk keep what was written, before a name says that it is there."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
