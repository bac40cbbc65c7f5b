"""A limit on how long somebody else's Python may take: a chat template is a program, and may never end."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class OutOfPatience(Exception):  # noqa: N818 (it is raised into code of others, and names what ran out)
    """What was run has taken too long."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Within, in whatever thread: Python code that takes longer is interrupted by `OutOfPatience`.

    It comes between two instructions of the interpreter, so a single call into compiled code is not cut short.
    """
    lock, over = threading.Lock(), False
    thread = threading.get_ident()

    def interrupt() -> None:
        with lock:
            if not over:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(OutOfPatience))

    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:  # either it has been sent and arrives within, or it is never sent
            over = True
        timer.cancel()
