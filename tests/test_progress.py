"""A bar appears for a person who has waited, and for nobody else."""

from __future__ import annotations

import io
import sys

import pytest

import unsee.progress
from unsee.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, patience: float) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(unsee.progress, "PATIENCE", patience)
    assert list(progress(range(5), "asking [people]")) == [0, 1, 2, 3, 4]
    return stream.getvalue()


def test_silent_where_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(io.StringIO(), monkeypatch, patience=-1) == ""


def test_silent_while_it_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(Terminal(), monkeypatch, patience=60) == ""


def test_bar_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = run(Terminal(), monkeypatch, patience=-1)
    assert "asking [people]" in shown
    assert "/5" in shown
