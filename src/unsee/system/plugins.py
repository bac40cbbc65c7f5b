"""Code from outside the package: a name in a Python file that the user points at, or what an installed package offers.

A file is run because somebody named it on the command line or in a settings file of their own. Nothing here is called
for a place that stands in somebody else's run.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import sys
import traceback
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from unsee.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def names_a_file(text: str) -> bool:
    """Whether a text is a place such as `path/to/file.py:Name`, and not the plain name of something known."""
    return ":" in text or text.endswith(".py") or os.sep in text


def split_place(place: str, what: str) -> tuple[Path, str]:
    """File and name of a place such as `path/to/file.py:Name`.

    Args:
        place: relative to where one stands, or absolute; `~` is a home.
        what: what an error message calls it, such as `method`.

    Raises:
        InputError: it has no name behind it, or no file before it.
    """
    path, _, name = place.rpartition(":")
    if not path or not name.isidentifier():
        raise InputError(f"{what}: {place!r} names no class in a file; give FILE.py:NAME, as in my_file.py:MyClass")
    return Path(path).expanduser(), name


def load_from_file(place: str, what: str) -> Any:
    """What a Python file calls by a name. The file is run, once however often it is asked for.

    Args:
        place: `path/to/file.py:Name`.
        what: what an error message calls it, such as `method`.

    Raises:
        InputError: there is no such file, it cannot be run (with the error and its line), or it has no such name.
    """
    path, name = split_place(place, what)
    if not path.is_file():
        raise InputError(f"{what}: {path} is no file; give the path of a Python file, as in my_file.py:{name}")
    module = _run(path.resolve(), what)
    if not hasattr(module, name):
        own = [key for key, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
        has = f"it has {', '.join(own)}" if own else "it defines nothing"
        raise InputError(f"{what}: {path} has no {name!r}{did_you_mean(name, own)}; {has}")
    return getattr(module, name)


def digest_of_file(path: Path, what: str) -> str:
    """SHA-256 of a file of code, by which it is known to be the same one later.

    Args:
        path: of the file.
        what: what an error message calls it.

    Raises:
        InputError: the file cannot be read.
    """
    return hashlib.sha256(_read(path, what)).hexdigest()


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{what}: cannot read {path}: {error.strerror or error}") from error


def _run(path: Path, what: str) -> ModuleType:
    """The module of a file; what is run is the file as it is now, never a cached compilation of it."""
    name = f"unsee_file_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    content, module = _read(path, what), ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # where dataclasses look up what their annotations mean
    try:
        exec(compile(content, str(path), "exec", dont_inherit=True), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise InputError(f"{what}: {path} cannot be imported: {_reason(error, str(path))}") from error
    return module


def _reason(error: BaseException, path: str | None = None) -> str:
    """An error in words, with the line of the file where it came up: of this file, or else of the last one."""
    if isinstance(error, SyntaxError) and (path is None or error.filename == path):
        frames = [(error.filename, error.lineno)]
        words = error.msg
    else:
        frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
        words = str(error)
    inside = [line for name, line in frames if name == path]
    if path is None:
        place = next((f"{name}, line {line}: " for name, line in reversed(frames) if os.path.isfile(name or "")), "")
    else:
        place = f"line {inside[-1]}: " if inside and inside[-1] else ""
    return f"{place}{type(error).__name__}{f': {words}' if words else ''}"


@dataclass(frozen=True)
class Plugin:
    """What an installed package offers under a name.

    Attributes:
        group: such as `unsee.methods`.
        name: by which it is called.
        places: package, version and where in it, as in `my_package 1.0 (my_package.methods:Mine)`; more than one where
            several packages, or one of them twice, offer other things under this name.
    """

    group: str
    name: str
    places: tuple[str, ...]
    entries: tuple[EntryPoint, ...]

    @property
    def package(self) -> str:
        """The package that it comes from, with its version."""
        return self.places[0].partition(" (")[0]

    def load(self) -> Any:
        """The thing itself.

        Raises:
            InputError: the name stands for several things, or the package cannot be imported or has no such thing.
        """
        if len(self.entries) > 1:
            raise InputError(
                f"{self.group}: {self.name!r} is the name of {len(self.entries)} plug-ins, "
                f"{' and '.join(self.places)}; uninstall all but one"
            )
        try:
            return self.entries[0].load()
        except (Exception, SystemExit) as error:
            raise InputError(
                f"{self.group}: {self.name} of {self.places[0]} cannot be loaded: {_reason(error)}"
            ) from error


def entry_points_of(group: str) -> dict[str, Plugin]:
    """What installed packages offer under a group such as `unsee.methods`, by name; none of it is imported yet.

    Args:
        group: of entry points, as a package's `pyproject.toml` has it under `project.entry-points`.
    """
    return dict(_entry_points(group, tuple(sys.path)))


@cache
def _entry_points(group: str, _path: tuple[str, ...]) -> dict[str, Plugin]:
    """Looked for once for each search path: to go through all installed packages takes a while."""
    from importlib.metadata import entry_points  # takes longer than the rest of this module

    named: dict[str, dict[str, EntryPoint]] = {}
    for entry in entry_points(group=group):
        named.setdefault(entry.name, {})[_place_of(entry)] = entry
    return {
        name: Plugin(group, name, tuple(entries), tuple(entries.values())) for name, entries in sorted(named.items())
    }


def _place_of(entry: EntryPoint) -> str:
    package = f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else "an unknown package"
    return f"{package} ({entry.value})"


def takes(called: Any, *arguments: str) -> bool:
    """Whether something can be called with so many arguments, and no more."""
    try:
        inspect.signature(called).bind(*arguments)
    except (TypeError, ValueError):  # nothing to be called, or nothing that tells how
        return False
    return True
