"""Waiting for others: not without a word, and not for ever."""

from __future__ import annotations

import sys
import time

PATIENCE = 10.0  # seconds of waiting without a word


class Patience:
    """Says once what is waited for, after a while."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._told = False

    @property
    def seconds(self) -> float:
        """Since the wait began; 0 where nobody waits."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    def tell(self, what: str) -> None:
        """On stderr; to be called again and again while there is something to wait for."""
        self._since = self._since or time.monotonic()
        if not self._told and self.seconds > PATIENCE:
            self._told = True
            print(f"unsee: waiting: {what}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """It has come: the next wait is another one."""
        self._since, self._told = None, False
