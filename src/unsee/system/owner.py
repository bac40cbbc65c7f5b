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

_CLOCK = 2  # seconds by which two readings of the time at which a process started may differ


@dataclass(frozen=True)
class Owner:
    """A process, told apart from every other one before and after it, here and elsewhere."""

    machine: str  # 8 hex digits; another after a restart, and inside another container
    pid: int
    started: int  # seconds since 1970

    @classmethod
    def this(cls) -> Owner:
        """The process that asks."""
        return cls(_machine(), os.getpid(), int(psutil.Process().create_time()))

    def is_alive(self) -> bool | None:
        """Whether it is still there; None for a process of another machine, which cannot be seen from here."""
        if self.machine != _machine():
            return None
        try:
            process = psutil.Process(self.pid)
            same = bool(abs(process.create_time() - self.started) <= _CLOCK)  # a number is given again after a while
            return same and bool(process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True


@lru_cache(maxsize=1)
def _machine() -> str:
    """What numbers of processes refer to: this machine since its start, and this container on it."""
    parts = [socket.gethostname()]
    with suppress(OSError):  # Linux alone has these
        parts += [Path("/proc/sys/kernel/random/boot_id").read_text(), os.readlink("/proc/self/ns/pid")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]
