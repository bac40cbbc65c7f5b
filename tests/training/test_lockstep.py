"""Processes wait for each other in the same places, whatever their rows are made of: no training hangs."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests import tiny
from tests.training import lockstep
from tests.two_processes import in_two_processes
from unsee.methods import METHODS
from unsee.types import PARTS

QUICK = (
    "npo-projector",
    "mmunlearner-projector",
    "rmu-language",
    "npo-projector-accumulated",
    "dpo-vision-lora",
)
EVERY = [f"{method}-{part}{way}" for method, part, way in product(METHODS, PARTS, ("", "-lora"))]


def assert_lockstep(folder: Path, cases: list[str], seconds: float) -> None:
    """The processes end, with the same weights, which are those of one process at the same effective batch."""
    tiny.save(tiny.llava(), folder / "model")
    assert in_two_processes("tests.training.lockstep", folder, cases, seconds) == "ended"
    for case in cases:
        one = lockstep.train(case, folder, batch_size=2)
        two, other = (load_file(folder / f"{case}.{rank}.safetensors") for rank in range(2))
        assert two.keys() == other.keys() == one.keys()
        for name, expected in one.items():
            assert torch.equal(two[name], other[name]), f"{case}: the processes differ at {name}"
            torch.testing.assert_close(two[name], expected, rtol=0, atol=2e-5, msg=f"{case}: {name}")


def test_processes_with_and_without_pictures_never_wait_for_each_other(tmp_path: Path) -> None:
    assert_lockstep(tmp_path, list(QUICK), 240)
    stopped = [(tmp_path / f"cases.{rank}").read_text().splitlines()[len(QUICK) :] for rank in range(2)]
    assert stopped == [
        ["one_sided: a loss is not finite in another process at step 2"],
        ["one_sided: forget loss is nan at step 2"],
    ]


@pytest.mark.slow
def test_no_method_on_any_part_hangs_in_two_processes(tmp_path: Path) -> None:
    assert_lockstep(tmp_path, EVERY, 1500)
