"""A progress bar for a person who waits, and a line now and then for a log that somebody reads later."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from unsee.system import processes

PATIENCE = 2.0  # seconds of work before a bar appears: what is over sooner needs none
FIRST_LINE, NEXT_LINE = 1.5, 30.0  # seconds until a log is told what goes on, and from then on

T = TypeVar("T")


def progress(iterable: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Pass the items on, and show a bar on stderr once they have taken longer than `PATIENCE` seconds.

    Args:
        iterable: what is worked through.
        description: what is being done, in a word or two.
        total: how many items there are; taken from `len(iterable)` where that is known.

    Yields:
        The items, in order. Where stderr is no terminal, `Narrator` tells how far they are.
    """
    if _on_step is not None or not processes.is_main():
        yield from iterable
        return
    if total is None and isinstance(iterable, Sized):
        total = len(iterable)
    bar: Progress | None = None
    with ExitStack() as stack:
        activity = stack.enter_context(_activity(description, total))
        for done, item in enumerate(iterable):
            activity.done = done
            if bar is None and sys.stderr.isatty() and activity.seconds > PATIENCE:
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


@dataclass
class Activity:
    """What is being done, and how far it is."""

    description: str
    total: int | None
    done: int = 0
    before: int = 0  # done by an earlier run, at another speed
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since it started."""
        return time.monotonic() - self.started

    def __str__(self) -> str:
        if self.total is None:
            return f"{self.description}: {f'{self.done} so far, ' if self.done else ''}{_duration(self.seconds)}"
        left = ""
        if self.done > self.before:
            left = f", about {_duration(self.seconds / (self.done - self.before) * (self.total - self.done))} left"
        return f"{self.description}: {self.done} of {self.total}{left}"


def _duration(seconds: float) -> str:
    """As a person says it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


_activities: list[Activity] = []  # of this process; the last one is part of those before it


@contextmanager
def _activity(description: str, total: int | None, done: int = 0) -> Iterator[Activity]:
    activity = Activity(description, total, done, done)
    _activities.append(activity)
    try:
        yield activity
    finally:
        _activities.remove(activity)


@contextmanager
def stage(description: str) -> Iterator[None]:
    """Within: this is what a log is told, where nothing inside counts its steps."""
    with _activity(description, None):
        yield


class Narrator:
    """Within: where stderr is no terminal (a batch job, a container, nohup), a line tells now and then what goes on.

    Args:
        name: of what was started, such as a command.
    """

    def __init__(self, name: str) -> None:
        self._name, self._started = name, time.monotonic()
        self._over = threading.Event()

    def __enter__(self) -> Narrator:
        if not sys.stderr.isatty() and processes.is_main():
            threading.Thread(target=self._tell, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _tell(self) -> None:
        pause = FIRST_LINE
        while not self._over.wait(pause):
            print(f"unsee: {self.line()}", file=sys.stderr, flush=True)
            pause = NEXT_LINE

    def line(self) -> str:
        """What goes on now."""
        # What was begun before and never ended, such as a loop of a caller that was broken off, is none of this.
        own = [activity for activity in _activities if activity.started >= self._started]
        doing = str(own[-1]) if own else f"at work for {_duration(time.monotonic() - self._started)}"
        return f"{self._name}: {doing}"


class Steps:
    """The same bar for work that counts its own steps.

    Args:
        description: what is being done, in a word or two.
        total: how many steps there are.
        done: how many of them an earlier run has done.
    """

    def __init__(self, description: str, total: int, done: int = 0) -> None:
        self._description, self._total, self._done = description, total, done
        self._bar: Progress | None = None
        self._open = ExitStack()
        self._activity = self._open.enter_context(_activity(description, total, done))

    def advance(self) -> None:
        """One more step is done."""
        self.reach(self._done + 1)

    def reach(self, done: int) -> None:
        """So many steps are done by now."""
        if _on_step is not None:
            for _ in range(done - self._done):
                _on_step()
        self._done = self._activity.done = done
        if self._bar is None and _on_step is None and _watched() and self._activity.seconds > PATIENCE:
            self._bar = _bar()
            self._task = self._bar.add_task(escape(self._description), total=self._total)
            self._bar.start()
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done)

    def close(self) -> None:
        """Take the bar away."""
        self._open.close()
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _watched() -> bool:
    """Whether somebody looks, and looks at this process."""
    return sys.stderr.isatty() and processes.is_main()


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
