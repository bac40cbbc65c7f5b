"""One process at a time in a folder: whoever comes second is told who is at work there, and since when.

The kernel locks the file (`flock`) and lets go of it when the process ends, however it ends. Not every network file
system does that for several machines; the file also says whose it is, and is touched every few seconds while its owner
is at work. An owner of this machine that is no more, or of another that has not been heard of for a minute, has none.
"""

from __future__ import annotations

import errno
import json
import os
import shlex
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from unsee.errors import InputError
from unsee.system import processes
from unsee.system.atomic import is_unfinished, remove_unfinished, remove_unfinished_of
from unsee.system.owner import Owner

NAME = ".lock"
CLAIMS = ".claims"  # folder beside it, for programs that work in a folder together; see `unsee.system.claims`
HEARTBEAT, GONE = 10.0, 60.0  # seconds from one sign of life to the next; without one, until an owner is given up
_BUSY = (errno.EAGAIN, errno.EACCES)  # another process has the lock; any other number: there are no locks here
_SETTLES = 0.2  # seconds after which two processes that wrote their names at once both see the second one


@dataclass(frozen=True)
class Holder:
    """Who holds a lock, as its file says it."""

    owner: Owner
    host: str
    since: str
    command: str

    @classmethod
    def this(cls) -> Holder:
        """This process, from now on."""
        now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
        return cls(Owner.this(), socket.gethostname(), now, shlex.join(sys.argv)[:80])

    @classmethod
    def read(cls, path: Path) -> Holder | None:
        """As `write` left it; None when there is none, or it cannot be understood."""
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            return cls(Owner(**fields.pop("owner")), **fields)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def __str__(self) -> str:
        return f"process {self.owner.pid} on {self.host} ({self.command}) since {self.since}"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder, which is made if need be, and clear it of what killed ones were writing.

    Of several processes that work together the main one holds the lock, and all fail when it fails.

    Raises:
        InputError: another process is at work there, or the folder cannot be made or written to.
    """
    lock = _Lock(folder / NAME)
    processes.once(lambda: lock.take(f"out: {folder} is in use", "wait until it ends, or give another folder"))
    try:
        if processes.is_main():
            remove_unfinished(folder)
        yield
    finally:
        lock.release()


@contextmanager
def reserved(path: Path) -> Iterator[None]:
    """Keep other processes from making the same new folder; the lock lies beside it.

    Raises:
        InputError: another process is making it, or the place cannot be written to.
    """
    lock = _Lock(_beside(path))
    lock.take(f"{path} is being written", "wait until it ends, or give another folder")
    try:
        remove_unfinished_of(path)
        yield
    finally:
        lock.release()


@contextmanager
def in_turn(paths: Iterable[Path]) -> Iterator[None]:
    """Wait until no other process makes any of some folders of a cache, and keep others waiting meanwhile."""
    with ExitStack() as stack:
        for path in sorted(paths):  # in one order, so that no two processes wait for each other
            lock = _Lock(_beside(path))
            lock.wait(path)
            stack.callback(lock.release)
            remove_unfinished_of(path)
        yield


def is_free(folder: Path) -> bool:
    """Whether a folder holds nothing, but for what a process leaves that is at work or was killed at its first file."""
    return all(path.name in (NAME, CLAIMS) or is_unfinished(path) for path in folder.iterdir())


def holder_of(folder: Path) -> Holder | None:
    """Who has locked a folder and is alive; None where nobody is known to."""
    holder = Holder.read(folder / NAME)
    if holder is None:
        return None
    return holder if _is_alive(holder, folder / NAME) else None


def silence(path: Path) -> float:
    """Seconds since a file was touched, by the clock of the file system, which is that of no machine for sure.

    Raises:
        FileNotFoundError: it is not there any more.
    """
    touched = path.stat().st_mtime
    with tempfile.TemporaryFile(dir=path.parent) as now:
        return os.fstat(now.fileno()).st_mtime - touched


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name[:64]}{NAME}")


class _Lock:
    """A lock file, from when it is taken until it is released."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path))
        self._file: int | None = None
        self._made: list[Path] = []  # folders that were made for it, the innermost first
        self._over = threading.Event()

    def take(self, trouble: str, remedy: str) -> None:
        """Take it, or raise InputError: `trouble`, who holds it, `remedy`."""
        held, by = self._try()
        if held:
            raise InputError(f"{trouble} by {by or 'another process'}; {remedy}{_elsewhere(self.path, by)}")

    def wait(self, what: Path) -> None:
        """Take it as soon as it is free, and say so once when it is not."""
        held, by = self._try()
        if held:
            print(f"unsee: waiting for {by or 'another process'}, which is making {what}", file=sys.stderr, flush=True)
        while held:
            time.sleep(0.5)
            held, by = self._try()

    def release(self) -> None:
        """Let it go, and the folders that were made for it where nothing else is in them."""
        if self._file is None:
            return
        self._over.set()
        self.path.unlink(missing_ok=True)
        os.close(self._file)
        self._file = None
        with suppress(OSError):
            for folder in self._made:
                folder.rmdir()

    def _try(self) -> tuple[bool, Holder | None]:
        """Whether another process holds it, and which; if none did, this one does now."""
        try:
            return self._open()
        except OSError as error:
            raise InputError(
                f"cannot write {self.path.parent}: {error.strerror or error}; name a place that can be written"
            ) from error

    def _open(self) -> tuple[bool, Holder | None]:
        folder = self.path.parent
        made = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        alone, holder = _flock(file), Holder.read(self.path)
        if alone is False or (holder is not None and _is_alive(holder, self.path)):
            os.close(file)
            return True, holder
        if not _is(self.path, file):  # its last owner took it away between the two lines above
            os.close(file)
            return self._open()
        me = Holder.this()
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps(asdict(me)).encode(), 0)
        if alone is None:
            time.sleep(_SETTLES)
            if (second := Holder.read(self.path)) != me:
                os.close(file)
                return True, second
        self._file, self._made = file, made
        threading.Thread(target=self._beat, daemon=True).start()
        return False, None

    def _beat(self) -> None:
        while not self._over.wait(HEARTBEAT):
            with suppress(OSError):
                os.utime(self.path)


def _flock(file: int) -> bool | None:
    """Whether the kernel gave the lock to this process; None where it gives none to anybody."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in _BUSY else None
    return True


def _is(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False


def _is_alive(holder: Holder, path: Path) -> bool:
    alive = holder.owner.is_alive()
    if alive is not None:
        return alive
    with suppress(FileNotFoundError):
        return silence(path) < GONE
    return False


def _elsewhere(path: Path, holder: Holder | None) -> str:
    """How it is found out that a process of another machine has died."""
    if holder is None or holder.owner.is_alive() is not None:
        return ""
    with suppress(OSError):
        heard = max(0.0, time.time() - path.stat().st_mtime)
        return f" (last heard of {heard:.0f} s ago, given up after {GONE:.0f} s)"
    return ""
