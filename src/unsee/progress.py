"""A progress bar for a person who waits; nothing for anybody else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from unsee import processes

PATIENCE = 2.0  # seconds of work before a bar appears: what is over sooner needs none

T = TypeVar("T")


def progress(iterable: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Pass the items on, and show a bar on stderr once they have taken longer than `PATIENCE` seconds.

    Args:
        iterable: what is worked through.
        description: what is being done, in a word or two.
        total: how many items there are; taken from `len(iterable)` where that is known.

    Yields:
        The items, in order. Where stderr is no terminal nothing is ever printed.
    """
    if _on_step is not None or not _watched():
        yield from iterable
        return
    if total is None and isinstance(iterable, Sized):
        total = len(iterable)
    started = time.monotonic()
    bar: Progress | None = None
    with ExitStack() as stack:
        for done, item in enumerate(iterable):
            if bar is None and time.monotonic() - started > PATIENCE:
                bar = stack.enter_context(_bar())
                task = bar.add_task(escape(description), total=total)
            if bar is not None:
                bar.update(task, completed=done)
            yield item


_on_step: Callable[[], None] | None = None


def report_steps(on_step: Callable[[], None]) -> None:
    """From now on in this process, tell about every step of `Steps` instead of drawing bars: for worker processes."""
    global _on_step  # noqa: PLW0603  (a worker is told once, when it starts)
    _on_step = on_step


@contextmanager
def silently() -> Iterator[None]:
    """Within: no step is told about and no bar drawn, for work that is one step of something larger."""
    global _on_step  # noqa: PLW0603
    outside = _on_step
    _on_step = lambda: None  # noqa: E731
    try:
        yield
    finally:
        _on_step = outside


class Steps:
    """The same bar for work that counts its own steps.

    Args:
        description: what is being done, in a word or two.
        total: how many steps there are.
        done: how many of them an earlier run has done.
    """

    def __init__(self, description: str, total: int, done: int = 0) -> None:
        self._description, self._total, self._done = description, total, done
        self._started = time.monotonic()
        self._bar: Progress | None = None

    def advance(self) -> None:
        """One more step is done."""
        self.reach(self._done + 1)

    def reach(self, done: int) -> None:
        """So many steps are done by now."""
        if _on_step is not None:
            for _ in range(done - self._done):
                _on_step()
        self._done = done
        if self._bar is None and _on_step is None and _watched() and time.monotonic() - self._started > PATIENCE:
            self._bar = _bar()
            self._task = self._bar.add_task(escape(self._description), total=self._total)
            self._bar.start()
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _watched() -> bool:
    """Whether somebody looks, and looks at this process."""
    return sys.stderr.isatty() and processes.is_main()


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
