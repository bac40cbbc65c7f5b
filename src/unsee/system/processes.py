"""Several processes as one, as `accelerate launch` starts them: who writes, who waits, who does which share.

With one process every function here is free: nothing of it imports torch then.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from functools import cache
from typing import Any, NamedTuple, TypeVar

from unsee.errors import InputError

T = TypeVar("T")


# What launchers leave in the environment, for processes to find each other.
_NUMBERS = ("WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_PORT")
_NEEDED = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")  # beside WORLD_SIZE, or they never meet
_OF_MPI = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
_LAUNCH = "start with `accelerate launch -m unsee ...`, or unset it to work alone"
PATIENCE = 10.0  # seconds that the others may take to come without a word being said
LONGEST_WAIT = timedelta(hours=6)  # for a process that has more to do; a launcher ends all when one has died


class OtherFailedError(InputError):
    """Another process cannot go on, and says why; this one ends with it, without a word of its own.

    Args:
        message: what the other one says.
        wrong_input: whether something that was given is to blame.
    """

    def __init__(self, message: str, wrong_input: bool = True) -> None:
        super().__init__(message)
        self.wrong_input = wrong_input


def count() -> int:
    """How many processes work together."""
    return int(os.environ.get("WORLD_SIZE") or "1")


def rank() -> int:
    """Which of them this one is, from 0."""
    return int(os.environ.get("RANK") or "0")


def settle() -> None:
    """See that the environment of this process is one that a launcher makes, or none; to be called first of all.

    Empty variables are taken away, as other libraries take them for numbers, and so is the LOCAL_RANK of a job that is
    over, which would make them wait for it.

    Raises:
        InputError: some variables are set and others are not, or they make no sense. Such a process would believe
            itself one of many, write nothing, or wait for ever.
    """
    for name in (*_NUMBERS, "MASTER_ADDR"):
        if not os.environ.get(name, "x").strip():
            del os.environ[name]
    for name in _NUMBERS:
        value = os.environ.get(name, "0").strip()
        if not (value.isascii() and value.isdigit()):
            raise InputError(f"{name}={value[:20]!r} in the environment is no number; {_LAUNCH}")
    if "WORLD_SIZE" not in os.environ:
        _check_no_launcher()
    if rank() >= count():
        given = f"WORLD_SIZE={count()}" if "WORLD_SIZE" in os.environ else "no WORLD_SIZE"
        raise InputError(f"RANK={rank()} in the environment with {given}; {_LAUNCH}")
    missing = [name for name in _NEEDED if name not in os.environ]
    if count() > 1 and missing:
        raise InputError(f"WORLD_SIZE={count()} in the environment without {', '.join(missing)}; {_LAUNCH}")
    if count() == 1 and "MASTER_ADDR" not in os.environ:
        os.environ.pop("LOCAL_RANK", None)


def _check_no_launcher() -> None:
    for name in _OF_MPI:
        value = os.environ.get(name, "")
        if value.isdigit() and int(value) > 1:
            raise InputError(f"{name}={value} in the environment without WORLD_SIZE; {_LAUNCH}")


def alone(what: str) -> None:
    """InputError where several processes would do the same work at the same time."""
    if count() > 1:
        raise InputError(f"{what} works in one process, and WORLD_SIZE={count()}; start it without a launcher")


def spare_devices() -> int:
    """How many accelerators this machine has beyond the one that a process takes that works alone."""
    import torch

    if count() > 1 or not torch.accelerator.is_available():
        return 0
    return max(0, torch.accelerator.device_count() - 1)


def tell_of_spare_devices() -> None:
    """Say on stderr, in one line, that more accelerators are there than are used."""
    if spare := spare_devices():
        print(
            f"unsee: of {spare + 1} GPUs one is used; `accelerate launch --num_processes {spare + 1} -m unsee ...` "
            "uses all",
            file=sys.stderr,
        )


def is_main() -> bool:
    """Whether this process is the one that writes files and talks to people."""
    return rank() == 0


def join() -> None:
    """Meet the other processes, and take this one's accelerator; to be called before a model is loaded."""
    settle()
    if count() > 1:
        place = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        line = f"unsee: waiting at {place} for {count()} processes to meet; WORLD_SIZE says that there are so many"
        patience = threading.Timer(PATIENCE, print, (line,), {"file": sys.stderr, "flush": True})
        patience.daemon = True
        patience.start()
        try:
            _state()
        finally:
            patience.cancel()


def wait() -> None:
    """Go on when all have come here."""
    if count() > 1:
        _state().wait_for_everyone()


def once(work: Callable[[], Any]) -> None:
    """Let the main process do something while the others wait for it; where it fails, all fail as in `as_one`."""
    with as_one():
        if is_main():
            work()


class _Failure(NamedTuple):
    """Why a process cannot go on, as the others are told."""

    message: str
    wrong_input: bool


def as_one() -> AbstractContextManager[None]:
    """Within: what each process does by itself, until all meet at the end. Where it fails in one, it fails in all.

    Without that the others would wait for ever for one that has ended. Within, no process may wait for another.

    Raises:
        OtherFailedError: in a process that could go on, when another cannot; and in all but one of those that were
            given something wrong, so that it is said once.
    """
    return nullcontext() if count() == 1 else _AsOne()


class _AsOne(AbstractContextManager[None]):
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is not None and not isinstance(error, Exception):
            return  # interrupted: the launcher ends the others
        first, failure = min(_failures(error).items(), default=(rank(), None))
        if failure is None or first == rank():
            return
        if error is None or isinstance(error, InputError):  # a bug has a traceback wherever it shows
            raise OtherFailedError(failure.message, failure.wrong_input) from error


def _failures(error: Exception | None) -> dict[int, _Failure]:
    """Who cannot go on, and why; those that stop because of another are not among them."""
    if error is None or isinstance(error, OtherFailedError):
        return together({})
    # A full disk is an `InputError`, too, and no fault of what was given.
    wrong_input = isinstance(error, InputError) and not isinstance(error.__cause__, OSError)
    return together({rank(): _Failure(str(error), wrong_input)})


def agreed(fact: T) -> T:
    """What the main process found, for all: files may come and go between two processes that look at them."""
    if count() == 1:
        return fact
    from accelerate.utils import broadcast_object_list

    _state()
    facts = [fact]
    broadcast_object_list(facts)
    return facts[0]


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

    _leave_at_the_end()
    return PartialState(cpu=not torch.accelerator.is_available(), timeout=LONGEST_WAIT)


@cache
def _leave_at_the_end() -> None:
    """Once, however often others are met."""
    atexit.register(_leave)


def _leave() -> None:
    """Part from the other processes before Python ends: threads that still wait for them would end this one badly."""
    from torch import distributed

    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
