"""Cells that a test makes up: no model, the same answers for the same cell."""

from __future__ import annotations

import importlib
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unsee.system import progress
from unsee.system.executors import Local
from unsee.system.files import write_json, write_jsonl
from unsee.system.workers import Job

if TYPE_CHECKING:  # a worker need not wait for it
    from unsee.leaderboard.cells import Cell
    from unsee.leaderboard.ground import Models

PROBES = ("forget_vqa", "forget_qa", "retain_vqa", "celebrity_vqa")


def job(one: Cell, models: Models, base_cell: Path, masks: Path) -> Job:
    """A cell as work for `run_cell` below."""
    arguments = {**one.describe(), "folder": str(one.folder)}
    return Job("tests.leaderboard.scripted:run_cell", arguments, outcome=str(one.folder / "scores.json"))


def knows(subject: str, row: str, configuration: dict[str, Any] | None, probe: str) -> bool:
    """Gold and methods forget at 1e-4; at 3e-4 everything is gone; grad_ascent never keeps anything."""
    if subject in ("base", "prompt") or row in ("retain_finetune", "random_noise"):
        return True
    rate = configuration["learning_rate"] if configuration else 1e-4
    if row.startswith("grad_ascent") or rate > 2e-4:
        return False
    return probe != "forget_vqa" or rate < 5e-5


def run_cell(folder: str, subject: str, row: str, configuration: dict[str, Any] | None, **rest: Any) -> None:
    """Write down what the script says; the first time that a file `kill` lies beside the cells, die instead.

    The first time that a file `hold` lies beside their folder, write half of it and do nothing more: in a child of the
    process that the file names, where it names one, and others wait for that.
    """
    target = Path(folder)
    out = target.parents[3]
    if row == "npo" and (out / "kill").exists():
        (out / "kill").unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    if row == "npo":
        _hold(out.parent, target)
    with (out / "log").open("a") as log:
        log.write(f"{target.name}\n")
    found = {}
    for probe in PROBES:
        right = [
            knows(subject, row, configuration, probe) and (n, subject, row) != (4, "method", "npo") for n in range(12)
        ]
        write_jsonl(target / "records" / f"{probe}.jsonl", [_record(probe, n, one) for n, one in enumerate(right)])
        share = sum(right) / len(right)
        others = dict.fromkeys(("low", "high", "ungated", "mean_answer_probability", "rouge_l_recall"), share)
        found[probe] = {"score": share, "n": len(right), "left_out": 0, **others}
    write_json(target / "scores.json", {"scores": found, "moved": 1.5})
    progress.Steps(row, 1).advance()


def _hold(place: Path, target: Path) -> None:
    with suppress(FileNotFoundError):  # there is none, or another process was quicker
        while (parent := (place / "hold").read_text()) and int(parent) != os.getppid():
            time.sleep(0.05)
        write_jsonl(target / "records" / f"{PROBES[0]}.jsonl", [])
        (place / "hold").rename(place / f"held-{os.getpid()}")
        time.sleep(600)


def _record(probe: str, n: int, right: bool) -> dict[str, Any]:
    asked = {"probe": probe, "index": n, "id": None, "subject": f"person {n // 3}", "fact": None, "question": f"q{n}"}
    return {**asked, "expected": "a", "said": "a" if right else "b", "correct": right, "log_prob": -0.1, "tokens": 2}


class Here(Local):
    """Jobs one after another, in this process."""

    def run(self, jobs: Sequence[Job], description: str, steps: int, done: int = 0) -> None:
        assert done + len(jobs) <= steps
        for one in jobs:
            module, _, name = one.function.partition(":")
            getattr(importlib.import_module(module), name)(**one.arguments)


# --- cells of a plan


def half_job(one: Cell, models: Models, base_cell: Path, masks: Path) -> Job:
    """A cell of a plan as work for `run_half` below."""
    arguments = {**one.describe(), **one.setting.needed(), "base_cell": str(base_cell), "folder": str(one.folder)}
    return Job("tests.leaderboard.scripted:run_half", arguments, outcome=str(one.folder / "scores.json"))


def run_half(folder: str, half: dict[str, Any], plan: str, base_cell: str, subject: str, row: str, **rest: Any) -> None:
    """What the script says to each row of a half: nobody forgets but gold, and methods in their middle configuration.

    They do so but for one question, where the training's seed is 1.
    """
    from unsee.evaluation.records import read_records
    from unsee.evaluation.scores import score
    from unsee.leaderboard.planned_work import opened

    ground, _ = opened(plan)
    target, found = Path(folder), {}
    with (target.parents[3] / "log").open("a") as log:
        log.write(f"{target.relative_to(target.parents[3])}\n")
    for probe in ground.halves.probes[half["stage"]]:
        gone = probe.role == "forget" and (subject == "gold" or _forgets(subject, row, rest["configuration"]))
        late = half["seed"] == 1 and subject == "method"
        records = [
            {
                **_record(probe.name, n, not gone or (late and n == 0)),
                **{"subject": one.subject, "fact": one.fact, "question": one.question, "expected": one.answer},
                "said": "nothing" if gone and not (late and n == 0) else one.answer,
                "log_prob": -4.0 if gone else -0.1,
                "perturbed_log_probs": [-2.0 - 0.1 * n] * len(one.perturbed_answers),
                "perturbed_tokens": [2] * len(one.perturbed_answers),
            }
            for n, one in enumerate(probe.examples)
        ]
        path = target / "records" / f"{probe.name}.jsonl"
        write_jsonl(path, records)
        of_base = path if subject == "base" else Path(base_cell) / "records" / path.name
        found[probe.name] = score(read_records(path), read_records(of_base)).to_dict()
    write_json(target / "scores.json", {"scores": found, "moved": 1.5, "steps": 3})
    progress.Steps(row, 1).advance()


def _forgets(subject: str, row: str, configuration: dict[str, Any] | None) -> bool:
    tried = subject == "method" and row not in ("retain_finetune", "random_noise")
    return tried and configuration is not None and configuration["learning_rate"] == 1e-3
