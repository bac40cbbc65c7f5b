"""Which of several programs does a job, told by files in a folder that all of them see, on one machine or on many.

Nothing here rests on locks of the kernel, which not every network file system has, nor on clocks that agree. A claim is
a file that only one program can create; it says whose it is, and is touched every few seconds. Nobody ever takes a
claim away from another: who is dead or silent is followed by a claim of the next generation, which again only one can
create. So of two that take over at once one wins, and one that was paused for long cannot break what followed it.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from unsee.errors import InputError
from unsee.system.lock import GONE, HEARTBEAT, Holder, silence

_LEFT = 3600.0  # seconds after which a silent one is no more, whatever becomes of a file system
WATCHED = 1.5 * HEARTBEAT  # seconds that a silent claim is looked at before it is given up, see `Claims._is_silent`


class Claims:
    """Claims of this program, and those of others in the same folder. Within a `with` they are kept alive.

    Args:
        folder: for the files; made with the first claim.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: dict[str, int] = {}  # key -> generation
        self._lock, self._over = threading.Lock(), threading.Event()
        self._seen: dict[Path, tuple[float, float]] = {}  # of silent claims: when touched, and since when looked at

    def __enter__(self) -> Claims:
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for key in list(self._held):
            self.release(key)
        with suppress(OSError):
            self.folder.rmdir()  # the last one does

    def claim(self, key: str) -> bool:
        """Claim something that nobody holds who is alive.

        Args:
            key: letters, digits and dashes.

        Returns:
            Whether it is this program's now.

        Raises:
            InputError: the folder cannot be written to.
        """
        generation = self._generations().get(key, 0)
        if generation and not self._given_up(self._path(key, generation)):
            return False
        if not self._create(self._path(key, generation + 1)):
            return False
        with self._lock:
            self._held[key] = generation + 1
        return True

    def release(self, key: str) -> None:
        """Let go of what this program has claimed, together with the claims that it followed."""
        with self._lock:
            generation = self._held.pop(key)
        for older in range(1, generation + 1):  # the newest last: until then it is seen to be claimed
            self._path(key, older).unlink(missing_ok=True)

    def living(self, start: str = "") -> Iterator[tuple[str, Holder | None]]:
        """Keys that others hold who are not known to be dead, and who that is where the file says it by now.

        Args:
            start: of the keys.
        """
        for key, generation in sorted(self._generations().items()):
            if key.startswith(start) and self._held.get(key) != generation:
                path = self._path(key, generation)
                with suppress(FileNotFoundError):
                    if _is_there(path) and silence(path) < GONE:
                        yield key, Holder.read(path)

    def sweep(self, start: str) -> None:
        """Take away claims of the dead that nobody can take over, as their keys are those of their owners alone.

        Args:
            start: of the keys.
        """
        for key, generation in self._generations().items():
            path = self._path(key, generation)
            with suppress(FileNotFoundError):
                if key.startswith(start) and (not _is_there(path) or silence(path) > _LEFT):
                    path.unlink()

    def clear(self) -> None:
        """Take away everything; to be called where nobody else can be at work."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _generations(self) -> dict[str, int]:
        """The newest generation of each key. To list a folder is to see it as it is, also where it is cached."""
        newest: dict[str, int] = {}
        with suppress(FileNotFoundError):
            for name in os.listdir(self.folder):
                key, _, generation = name.rpartition(".")
                if key and generation.isdigit():
                    newest[key] = max(newest.get(key, 0), int(generation))
        return newest

    def _path(self, key: str, generation: int) -> Path:
        return self.folder / f"{key}.{generation}"

    def _create(self, path: Path) -> bool:
        """Whether this program was the one that could; two that try at once are one that can and one that cannot."""
        try:
            file = self._opened(path)
        except FileExistsError:
            return False
        except OSError as error:
            raise InputError(
                f"cannot write {path.parent}: {error.strerror or error}; name a place that can be written"
            ) from error
        try:
            os.write(file, json.dumps(asdict(Holder.this())).encode())
        finally:
            os.close(file)
        return True

    def _opened(self, path: Path) -> int:
        while True:
            path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # another program was the last here, and has just taken the folder away
                return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)

    def _given_up(self, path: Path) -> bool:
        """Whether the claim of another need not be waited for."""
        try:
            return not _is_there(path) or self._is_silent(path)
        except FileNotFoundError:
            return False  # released just now; what it was for is looked at again

    def _is_silent(self, path: Path) -> bool:
        """Whether its owner has given no sign of life for a minute, and gives none while it is looked at either.

        After a file system was away for some minutes, or a machine was asleep, everybody seems to have been silent.
        """
        if silence(path) < GONE:
            self._seen.pop(path, None)
            return False
        touched, now = path.stat().st_mtime, time.monotonic()
        before, since = self._seen.get(path, (None, now))
        if before != touched:
            self._seen[path] = (touched, now)
            return False
        return now - since >= WATCHED

    def _beat(self) -> None:
        while not self._over.wait(HEARTBEAT):
            with self._lock:
                held = [self._path(key, generation) for key, generation in self._held.items()]
            for path in held:
                with suppress(OSError):
                    os.utime(path)


def _is_there(path: Path) -> bool:
    """Whether the owner of a claim may still be there: not where a process of this machine has ended."""
    holder = Holder.read(path)  # None: it is created, and being written, or its owner died between the two
    return holder is None or holder.owner.is_alive() is not False


def is_listed(path: Path, folder: Path) -> bool:
    """Whether a file is in a folder or below it, by listing: a network file system may remember that it was not."""
    for part in path.relative_to(folder).parts:
        try:
            if part not in os.listdir(folder):
                return False
        except FileNotFoundError:
            return False
        folder = folder / part
    return True
