"""Calling the command line inside the test process, where PyTorch is loaded already."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unsee.cli import main as cli

UNFIT = "unsee: The base "  # what `unsee unlearn` says of the random models of these tests


@dataclass(frozen=True)
class Outcome:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def complaints(self) -> list[str]:
        """What was said on stderr, but for that a random model knows nothing that could be forgotten."""
        return [line for line in self.err.splitlines() if not line.startswith(UNFIT)]

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def call(*arguments: object) -> Outcome:
    """`unsee ARGUMENTS`, as from a shell."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = cli.main([str(argument) for argument in arguments])
    return Outcome(code, out.getvalue(), err.getvalue())


def succeed(*arguments: object) -> Outcome:
    """The same for a command that must do its work without a word on stderr."""
    outcome = call(*arguments)
    assert outcome.code == 0, outcome.err
    assert outcome.complaints == []
    return outcome


def files_of(folder: Path) -> dict[str, bytes]:
    """Everything in a folder; empty when there is no such folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
