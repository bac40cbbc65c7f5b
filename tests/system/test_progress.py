"""A bar appears for a person who has waited, and for nobody else."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import unsee.cli.main
import unsee.system.progress
from tests.commandline import call
from unsee.system.progress import Activity, Narrator, Steps, progress, stage


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, patience: float) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(unsee.system.progress, "PATIENCE", patience)
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


def test_a_log_is_told_at_once_and_then_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    monkeypatch.setattr(unsee.system.progress, "FIRST_LINE", 0.01)
    monkeypatch.setattr(unsee.system.progress, "NEXT_LINE", 0.01)

    def wait_for(text: str) -> None:
        end = time.monotonic() + 10
        while text not in log.getvalue() and time.monotonic() < end:
            time.sleep(0.005)
        assert text in log.getvalue()

    with Narrator("unlearn"):
        wait_for("unsee: unlearn: at work for 0 s\n")
        with stage("loading the model"):
            wait_for("unsee: unlearn: loading the model: 0 s\n")
        steps = Steps("training", total=40, done=10)
        steps.reach(20)
        wait_for("unsee: unlearn: training: 20 of 40, about ")
        for place in progress(range(3), "asking [people]"):
            if place == 1:
                wait_for("unsee: unlearn: asking [people]: 1 of 3")
        steps.close()
    quiet = len(log.getvalue())
    time.sleep(0.05)
    assert len(log.getvalue()) <= quiet + len("unsee: unlearn: at work for 0 s\n")  # one may have been on its way


def test_a_terminal_gets_bars_and_no_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(unsee.system.progress, "FIRST_LINE", 0.0)
    with Narrator("unlearn"):
        time.sleep(0.05)
    assert terminal.getvalue() == ""


def test_time_left_is_reckoned_from_the_steps_of_this_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    activity = Activity("training", total=100, done=60, before=50, started=0.0)
    monkeypatch.setattr(time, "monotonic", lambda: 20.0)  # ten steps in 20 s, forty to go
    assert str(activity) == "training: 60 of 100, about 80 s left"
    monkeypatch.setattr(time, "monotonic", lambda: 2000.0)
    assert str(activity) == "training: 60 of 100, about 2.2 h left"


def test_the_program_itself_tells_a_log_what_goes_on(tmp_path: Path) -> None:
    code = """
import sys, time, types, unsee.cli.main, unsee.system.progress
unsee.system.progress.FIRST_LINE = 0.05
unsee.cli.main.get_command = lambda app: types.SimpleNamespace(main=lambda *given, **how: time.sleep(1))
sys.argv = ["unsee", "demo"]
sys.exit(unsee.cli.main.main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout == ""
    assert done.stderr == "unsee: demo: at work for 0 s\n"


def test_a_caller_from_python_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unsee.system.progress, "FIRST_LINE", 0.0)
    monkeypatch.setattr(
        unsee.cli.main, "get_command", lambda app: SimpleNamespace(main=lambda *given, **how: time.sleep(0.1))
    )
    assert call("demo").err == ""


def test_a_log_is_not_told_of_what_was_left_open_before() -> None:
    left: Any = progress(range(3), "asking [people]")
    assert next(left) == 0
    assert Narrator("unlearn").line() == "unlearn: at work for 0 s"
    left.close()
