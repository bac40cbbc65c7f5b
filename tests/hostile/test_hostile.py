"""Wrong and hostile input to every command: one line, exit code 2, nothing written, bounded time and memory."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from tests.commandline import Outcome, call
from tests.hostile.cases import COMMANDS, Case, cases
from tests.hostile.scene import Good, Scene

SECONDS = 20
MEMORY = 2 * 2**30  # bytes beyond what the test process held at its peak before
LINE = 400  # characters, with the program's name

ALL = list(cases())


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Interrupt what takes longer."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"still at it after {seconds} s")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def peak() -> int:
    """Bytes that this process held at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def tree(folder: Path) -> dict[Path, bytes | None]:
    """All files and folders below a folder."""
    return {path: path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def seldom(case: Case) -> bool:
    """Whether a case says little that another does not: every command loads models and reads lines in the same way."""
    loads = case.slot in ("model", "scorer") and case.command not in ("evaluate", "evaluate adapter")
    return loads or (case.kind == "one line of 30 MB" and case.command not in ("evaluate", "chair"))


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow if seldom(case) else ()) for case in ALL], ids=str
)
def test_one_line_and_nothing_written(good: Good, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: Case) -> None:
    monkeypatch.chdir(tmp_path)
    line = case.line(Scene(good, tmp_path))
    before, held = tree(tmp_path), peak()
    with within(SECONDS):
        outcome = call(*line)
    refused(outcome)
    assert tree(tmp_path) == before
    assert peak() - held < MEMORY


def refused(outcome: Outcome) -> None:
    """What wrong input must look like."""
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    assert outcome.err.startswith("unsee: error: ")
    assert outcome.err.count("\n") == 1, outcome.err
    assert len(outcome.err) <= LINE, len(outcome.err)
    assert outcome.err.isprintable() or outcome.err[:-1].isprintable(), repr(outcome.err)


QUICK = ("evaluate", "tofu", "chair", "pope", "text", "amber", "export", "calibrate", "check")


@pytest.mark.parametrize("name", QUICK)
def test_the_command_that_each_case_spoils_is_right(
    good: Good, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = call(*COMMANDS[name].line(good))
    assert outcome.code == 0, outcome


def test_there_are_at_least_300_cases_over_every_command() -> None:
    assert len(ALL) >= 300
    assert len({case.command for case in ALL}) == len(COMMANDS)
