"""The command line as a whole: exit codes, what goes to which stream, and how fast it answers."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.commandline import call, succeed
from unsee import __version__
from unsee.cli.output import console, percent, print_json, printable, show_scores

COMMANDS = ("demo", "unlearn", "evaluate", "report", "methods", "doctor", "metrics")


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)


def test_help_lists_every_command() -> None:
    out = succeed("--help").out
    assert all(f" {command} " in out for command in COMMANDS)
    assert succeed().out.split() == succeed("-h").out.split() == out.split()


@pytest.mark.parametrize("command", [command for command in COMMANDS if command != "metrics"])
def test_every_command_has_examples(command: str) -> None:
    out = succeed(command, "--help").out
    assert "Examples:" in out
    assert f"unsee {command}" in out.partition("Examples:")[2]


def test_version() -> None:
    assert succeed("--version").out == f"unsee {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [
        (["unlern"], ["No such command 'unlern'", "'unlearn'", "See unsee --help"]),
        (["--bogus"], ["No such option: --bogus", "see unsee --help"]),
        (["evaluate", "--model", "m"], ["Missing option '--data'", "see unsee evaluate --help"]),
        (["evaluate", "--model", "m", "--data", "d", "--batch-size", "0"], ["'--batch-size'", "greater than"]),
        (["methods", "nppo"], ["'nppo' is unknown", "did you mean 'npo'"]),
        (["demo", "persn"], ["'persn' is unknown", "did you mean 'person'", "choose person"]),
        (["metrics", "tofu", "no.json"], ["cannot read no.json"]),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_line_and_exit_code_2(arguments: list[str], keywords: list[str]) -> None:
    outcome = call(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert line.startswith("unsee: error: ")
    assert all(keyword in line for keyword in keywords), line


@pytest.mark.parametrize("command", ["methods", "unlearn"])
def test_interruption(monkeypatch: pytest.MonkeyPatch, command: str, tmp_path: Path) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("unsee.methods.find", interrupted)
    monkeypatch.setattr("unsee.runs.settings.parse", interrupted)
    arguments: dict[str, list[object]] = {
        "methods": ["npo"], "unlearn": ["--model", "m", "--forget", "f", "--out", tmp_path],
    }  # fmt: skip
    outcome = call(command, *arguments[command])
    again = "; start the same command again to go on" if command == "unlearn" else ""
    assert (outcome.code, outcome.err) == (130, f"unsee: interrupted{again}\n")


def test_a_bug_ends_in_a_traceback() -> None:
    done = python(
        "import sys, unsee.methods\n"
        "def broken(name): raise RuntimeError('a bug')\n"
        "unsee.methods.find = broken\n"
        "from unsee.cli.main import main\n"
        "sys.exit(main(['methods', 'npo']))\n"
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert done.stderr.endswith("RuntimeError: a bug\n")
    assert "\N{BOX DRAWINGS LIGHT HORIZONTAL}" not in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["unlearn", "--help"], ["methods"], ["unlearn", "--method", "x"]])
def test_help_and_mistakes_do_not_wait_for_torch(arguments: list[str]) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = python(
        f"import sys\nfrom unsee.cli.main import main\nmain({arguments})\n"
        "print([name for name in ('torch', 'transformers', 'scipy', 'datasets') if name in sys.modules])"
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stdout.splitlines()[-1] == "[]"
    assert after.ru_utime - before.ru_utime < 1.5  # seconds of processor time; 0.3 on an idle machine


def test_the_module_is_the_program() -> None:
    done = subprocess.run([sys.executable, "-m", "unsee", "methods", "npo", "--json"], capture_output=True, check=True)
    assert json.loads(done.stdout)["name"] == "npo"
    assert done.stderr == b""


def test_a_pipe_that_closes_is_no_bug() -> None:
    command = f"{sys.executable} -m unsee --help | true"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr


def test_letters_that_the_terminal_lacks_are_spelt_out() -> None:
    code = (
        "import sys\nfrom unsee.cli import main as cli\nfrom unsee.cli import methods\n"
        "methods.describe = lambda name: print('\\u2013 \\u00e9')\n"
        "cli.main(['methods', 'npo'])"
    )
    done = python(code, PYTHONIOENCODING="ascii")
    assert done.stdout.startswith("\\u2013 \\xe9")


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(
        {"a": float("nan"), "b": [float("inf"), 1.5], "c": {"d": "\N{LATIN SMALL LETTER E WITH ACUTE}\x9b"}, 1: ()}
    )
    assert capsys.readouterr().out == (
        '{\n  "a": null,\n  "b": [\n    null,\n    1.5\n  ],\n  "c": {\n    "d": "\\u00e9\\u009b"\n  },\n  "1": []\n}\n'
    )


def test_what_does_not_print_is_spelt_out() -> None:
    assert (
        printable("a\x1b[31mb\u202ec\nd\u2028 \N{LATIN SMALL LETTER E WITH ACUTE}")
        == "a\\x1b[31mb\\u202ec\\nd\\u2028 \xe9"
    )


def test_percent() -> None:
    assert [percent(share) for share in (0.0634, 1.0, None, float("nan"))] == ["6.3 %", "100 %", "\u2013", "\u2013"]


SCORE: dict[str, Any] = {"score": 0.75, "low": 0.5, "high": 1.0, "n": 8, "left_out": 0}


def test_scores_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    nothing = {"score": None, "low": None, "high": None, "n": 0, "left_out": 8}
    models = {"base": {"[red]forget\x1b": SCORE, "b": nothing}, "grad_ascent": {"[red]forget\x1b": SCORE, "b": nothing}}
    show_scores(console(), models)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "grad not" in lines
    assert "probe base ascent rows known" in lines
    assert "[red]forget\\x1b 75.0 % 75.0 % 8 0" in lines
    assert "50\u2013100 50\u2013100" in lines
    assert "b \u2013 \u2013 0 8" in lines


def test_the_share_over_the_other_rows_stands_below_in_brackets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    own = {**SCORE, "left_out": 2, "alone": 3, "ungated": 0.6, "ungated_low": 0.4, "ungated_high": 0.8}
    show_scores(console(), {"base": {"her": own, "rest": own}}, {"her": "forget", "rest": "keep"})
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    place = lines.index("her 75.0 % 8 2")
    assert lines[place + 1 : place + 3] == ["50\u2013100", "(60.0 %)"]
    place = lines.index("rest 60.0 % 10 2")
    assert lines[place + 1 : place + 3] == ["40\u201380", "(75.0 %)"]
    assert "3 of her." in " ".join(lines)


def test_a_table_fits_eighty_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    names = ("base", "gold", "grad_ascent", "grad_diff", "npo", "mmunlearner")
    probes = ("forget_vqa", "forget_qa", "retain_vqa", "retain_qa", "celebrity_vqa", "celebrity_qa", "scenes")
    show_scores(console(), {name: {probe: {**SCORE, "left_out": 3} for probe in probes} for name in names})
    out = capsys.readouterr().out
    assert "\N{HORIZONTAL ELLIPSIS}" not in out
    assert all(probe in out for probe in probes)
    assert max(map(len, out.splitlines())) <= 80
