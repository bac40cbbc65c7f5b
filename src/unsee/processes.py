"""Several processes as one, as `accelerate launch` starts them: who writes, who waits, who does which share.

With one process every function here is free: nothing of it imports torch then.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def count() -> int:
    """How many processes work together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this one is, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_main() -> bool:
    """Whether this process is the one that writes files and talks to people."""
    return rank() == 0


def join() -> None:
    """Meet the other processes, and take this one's accelerator; to be called before a model is loaded."""
    if count() > 1:
        _state()


def wait() -> None:
    """Go on when all have come here."""
    if count() > 1:
        _state().wait_for_everyone()


def once(work: Callable[[], Any]) -> None:
    """Let the main process do something while the others wait for it."""
    if is_main():
        work()
    wait()


def agreed(fact: T) -> T:
    """What the main process found, for all: files may come and go between two processes that look at them."""
    if count() == 1:
        return fact
    from accelerate.utils import broadcast_object_list

    _state()
    found = [fact]
    broadcast_object_list(found)
    return found[0]


def share(items: Sequence[T]) -> list[T]:
    """This process's part of the work; the parts of all are disjoint and together everything."""
    return list(items[rank() :: count()])


def together(mine: dict[int, T]) -> dict[int, T]:
    """What all processes have found, by place."""
    if count() == 1:
        return mine
    from accelerate.utils import gather_object

    _state()
    return dict(gather_object(list(mine.items())))


def _state() -> Any:
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.accelerator.is_available())
