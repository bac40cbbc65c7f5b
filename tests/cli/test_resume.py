"""A run that is killed and started again ends with the very bytes of one that was left in peace.

Processes come from a fork server that has loaded PyTorch already: a run starts in milliseconds and dies for real.
"""

from __future__ import annotations

import multiprocessing
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Stranger
from tests.commandline import call
from unsee.runs.finished import fingerprint, open_run

STEPS, SAVE_STEPS = 12, 2
CASES: dict[str, list[str]] = {
    "llava-mmunlearner": ["--method", "mmunlearner"],
    "qwen2_5_vl-npo": ["--method", "npo", "--set", "gradient_accumulation=2"],
    "llava-sku-lora": ["--method", "sku", "--lora", "4"],
    "llava-npo-lora": ["--method", "npo", "--lora", "4", "--set", "lora.dropout=0.1"],
}
# What a run writes, in order; it is killed as soon as each is there.
STAGES = [
    "run.yaml",
    "records/base/forget.jsonl",
    "checkpoints/reference.safetensors",
    "checkpoints/checkpoint-4",
    "checkpoints/checkpoint-12",
    "checkpoints/training.json",
    ".model.*.tmp",
    "model",
    "records/npo/forget.jsonl",
    "scores.json",
]


class Runner:
    """Starts runs in processes of their own."""

    def __init__(self, stranger: Stranger) -> None:
        self.stranger = stranger
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["unsee.runs.run", "unsee.report.assemble", "tests.commandline"])

    def start(self, case: str, out: Path) -> Any:
        """A process that carries out the run, or goes on with it."""
        given = ["--model", self.stranger / case.partition("-")[0], "--out", out, *CASES[case]]
        given += ["--forget", self.stranger / "forget.jsonl", "--retain", self.stranger / "retain.jsonl"]
        for setting in (f"max_steps={STEPS}", f"save_steps={SAVE_STEPS}", "learning_rate=1e-3", "max_new_tokens=4"):
            given += ["--set", setting]
        process = self.context.Process(target=unlearn, args=([str(one) for one in given],))
        process.start()
        return process

    def finish(self, case: str, out: Path) -> str:
        """Run to the end; the digest of weights and records."""
        process = self.start(case, out)
        process.join()
        assert process.exitcode == 0
        return fingerprint(open_run(out))

    def kill(self, case: str, out: Path, when: Callable[[], bool]) -> bool:
        """Start and kill the run when something is the case; False if it was over before."""
        process = self.start(case, out)
        while process.is_alive() and not when():
            time.sleep(0.001)
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        killed: bool = process.exitcode == -signal.SIGKILL
        return killed


def unlearn(arguments: list[str]) -> None:
    import torch

    torch.set_num_threads(1)
    outcome = call("unlearn", *arguments)
    print(outcome.err, file=sys.stderr)
    sys.exit(outcome.code)


@pytest.fixture(scope="module")
def runner(stranger: Stranger) -> Iterator[Runner]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield Runner(stranger)


@pytest.fixture(scope="module")
def undisturbed(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The digest of each run when nobody disturbs it."""
    known: dict[str, str] = {}

    def digest(case: str) -> str:
        if case not in known:
            known[case] = runner.finish(case, tmp_path_factory.mktemp("undisturbed") / case)
        return known[case]

    return digest


@pytest.mark.parametrize("case", CASES)
def test_killed_at_a_random_step(runner: Runner, undisturbed: Callable[[str], str], tmp_path: Path, case: str) -> None:
    out, step = tmp_path / "out", SAVE_STEPS * random.randint(2, 5)  # one checkpoint at least is whole
    assert runner.kill(case, out, (out / "checkpoints" / f"checkpoint-{step}").exists), f"finished before step {step}"
    assert not (out / "model").exists()
    assert runner.finish(case, out) == undisturbed(case), f"killed at step {step}"


def _is_there(folder: Path, pattern: str) -> bool:
    return any(folder.glob(pattern))


def _is_past(moment: float) -> bool:
    return time.monotonic() > moment


def test_killed_at_every_stage(runner: Runner, undisturbed: Callable[[str], str], tmp_path: Path) -> None:
    case, out = "qwen2_5_vl-npo", tmp_path / "out"
    reached = [stage for stage in STAGES if runner.kill(case, out, partial(_is_there, out, stage))]
    assert len(reached) >= len(STAGES) - 2  # the last may be there only when the run is over
    assert runner.finish(case, out) == undisturbed(case)
    assert not [*out.rglob("*.tmp")]


def test_killed_after_random_delays(runner: Runner, undisturbed: Callable[[str], str], tmp_path: Path) -> None:
    case, out = "llava-mmunlearner", tmp_path / "out"
    started = time.monotonic()
    undisturbed(case)
    whole = max(1.0, time.monotonic() - started)
    delays = [round(random.uniform(0, min(whole, 2.0)), 3) for _ in range(4)]
    for delay in delays:
        until = time.monotonic() + delay
        runner.kill(case, out, partial(_is_past, until))
    assert runner.finish(case, out) == undisturbed(case), f"killed after {delays} s"
