"""Which process something belongs to, and whether that process is still at work."""

from __future__ import annotations

import hashlib
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import psutil

_CLOCK = 2  # by which two readings of when a process started may differ


@dataclass(frozen=True)
class Owner:
    """A process, told apart from every other one before and after it, here and elsewhere."""

    machine: str  # 8 hex digits; another after a restart, and inside another container
    pid: int
    started: int  # see `_started`

    @classmethod
    def this(cls) -> Owner:
        """The process that asks."""
        return cls(_machine(), os.getpid(), _started(os.getpid()))

    def is_alive(self) -> bool | None:
        """Whether it is still there; None for a process of another machine, which cannot be seen from here."""
        if self.machine != _machine():
            return None
        try:
            process = psutil.Process(self.pid)
            same = abs(_started(self.pid) - self.started) <= _CLOCK  # a number is given again after a while
            return same and bool(process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True


def _started(pid: int) -> int:
    """When a process was started: in ticks since its machine was, which no clock that is put right can move.

    Where the kernel does not tell (Linux alone does), in seconds since 1970.
    """
    with suppress(OSError):
        after_name = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2]
        return int(after_name.split()[19])
    return int(psutil.Process(pid).create_time())


@lru_cache(maxsize=1)
def _machine() -> str:
    """What numbers of processes refer to: this machine since its start, and this container on it."""
    parts = [socket.gethostname()]
    with suppress(OSError):  # Linux alone has these
        parts += [Path("/proc/sys/kernel/random/boot_id").read_text(), os.readlink("/proc/self/ns/pid")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]
