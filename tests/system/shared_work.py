"""What each of two processes of `tests/system/test_shared_work.py` does: one piece of shared work after another.

Run as `python -m tests.system.shared_work FOLDER CASE...` with what `accelerate launch` sets. FOLDER holds what
`prepare` puts there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from tests import tiny
from tests.cli import shared_work as commands
from tests.training import shared_work as training
from unsee.system import processes

CASES = {**training.CASES, **commands.CASES, "measure-again": training.CASES["measure"]}  # they are still in step


def prepare(folder: Path) -> None:
    """What all cases need."""
    tiny.save(tiny.llava(), folder / "model")
    commands.prepare(folder)


def do(case: str, folder: Path) -> Any:
    """One case; what is written lies in a folder of its own, beside that of the other number of processes."""
    return json.loads(json.dumps(CASES[case](folder / str(processes.count()) / case)))


def main(folder: Path, cases: list[str]) -> None:
    """Every case in turn; what it comes to goes to a file of this process."""
    torch.set_num_threads(1)
    results = {}
    for case in cases:
        print(case, flush=True)
        results[case] = do(case, folder)
    (folder / f"results.{processes.rank()}.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
