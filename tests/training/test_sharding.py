"""Two processes with half of every weight each end where one process ends that has all: weights, masks, checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForImageTextToText

from tests import tiny, two_processes
from tests.training import in_pieces
from unsee.methods import METHODS
from unsee.types import PARTS

# Of forget and retain rows every third is in words alone: in most steps one of the two processes has no picture.
QUICK = (
    "llava-grad_diff-all",
    "llava-npo-projector-accumulated",
    "llava-grad_diff-all-stopped",
    "qwen-mmunlearner-all-accumulated-guarded-resumed",
    "llava-rmu-language",
)
RESUMED = ("llava-npo-all-resumed", "qwen-grad_diff-vision-gated-resumed", "llava-kl-all-accumulated-guarded-resumed")
BESIDE = ("llava-npo-all-half", "mllama-grad_diff-all")  # what is said to a row depends on the rows beside it
EVERY = [f"{family}-{method}-{part}" for family, method, part in product(("llava", "qwen"), METHODS, (*PARTS, "all"))]
FSDP = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_CPU_RAM_EFFICIENT_LOADING": "true"}


def in_two_processes(folder: Path, cases: Sequence[str], seconds: float, pieces: bool = True) -> list[list[str]]:
    """Run cases side by side and give what each process has printed; where they hang, both are ended."""
    more = FSDP if pieces else {}
    assert two_processes.in_two_processes("tests.training.in_pieces", folder, cases, seconds, more) == "ended"
    return [(folder / f"cases.{rank}").read_text().splitlines() for rank in range(2)]


def weights_in(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "model.safetensors")


def assert_same(folder: Path, case: str) -> None:
    """What two processes have made of a case is what one makes at the same effective batch."""
    two, one = folder / case / "two", folder / case / "one"
    in_pieces.train(case, one, batch_size=2)
    checkpoint = f"checkpoint-{in_pieces.SAVED}"
    for name in ("model", checkpoint) if "resumed" in case else ("model",):
        weights, expected = weights_in(two / name), weights_in(one / name)
        assert list(weights) == list(expected)
        for tensor, value in expected.items():
            assert weights[tensor].dtype == value.dtype
            torch.testing.assert_close(weights[tensor], value, rtol=0, atol=2e-5, msg=f"{case}: {tensor}")
    if (mask := one / "saliency.safetensors").is_file():
        assert all(torch.equal(bits, load_file(two / mask.name)[name]) for name, bits in load_file(mask).items())
    AutoModelForImageTextToText.from_pretrained(two / "model")
    if "resumed" in case:
        assert_resumed(folder, case, two / checkpoint)


def assert_resumed(folder: Path, case: str, checkpoint: Path) -> None:
    """Going on from a checkpoint ends with the same bits; one process can go on from what two have left."""
    whole, again = weights_in(folder / case / "two" / "model"), weights_in(folder / case / "again" / "model")
    assert all(torch.equal(again[name], value) for name, value in whole.items())
    in_pieces.train(case, folder / case / "alone", batch_size=2, resume=checkpoint)
    alone = weights_in(folder / case / "alone" / "model")
    for name, value in whole.items():
        torch.testing.assert_close(alone[name], value, rtol=0, atol=2e-5, msg=f"{case}, resumed by one: {name}")


def test_two_processes_with_half_of_every_weight_end_where_one_does(tmp_path: Path) -> None:
    printed = in_two_processes(tmp_path, [*QUICK, "llava-one_sided-language"], 300)
    assert [lines[-1] for lines in printed] == [
        "one_sided: a loss is not finite in another process at step 2",
        "one_sided: forget loss is nan at step 2",
    ]
    for case in QUICK:
        assert_same(tmp_path, case)
    moved, put_back = (weights_in(tmp_path / f"llava-grad_diff-all{way}" / "two" / "model") for way in ("", "-stopped"))
    assert not all(torch.equal(put_back[name], value) for name, value in moved.items())
    held = [load_file(tmp_path / QUICK[0] / f"held.{rank}.safetensors") for rank in range(2)]
    total = sum(weight.numel() for weight in tiny.llava().model.parameters())
    shares = [sum(rows.numel() for rows in own.values()) / total for own in held]
    assert sum(shares) == 1
    assert max(shares) < 0.51


@pytest.mark.slow
def test_any_training_that_is_resumed_ends_with_the_same_weights(tmp_path: Path) -> None:
    in_two_processes(tmp_path, RESUMED, 600)
    for case in RESUMED:
        assert_same(tmp_path, case)


@pytest.mark.slow
def test_two_processes_end_where_two_do_that_have_all_weights(tmp_path: Path) -> None:
    for name, pieces in (("pieces", True), ("whole", False)):
        (tmp_path / name).mkdir()
        in_two_processes(tmp_path / name, BESIDE, 600, pieces)
    for case in BESIDE:
        weights, expected = (weights_in(tmp_path / name / case / "two" / "model") for name in ("pieces", "whole"))
        assert list(weights) == list(expected)
        for tensor, value in expected.items():
            torch.testing.assert_close(weights[tensor], value, rtol=0, atol=2e-5, msg=f"{case}: {tensor}")


@pytest.mark.slow
def test_every_method_on_any_part_ends_where_one_process_does(tmp_path: Path) -> None:
    in_two_processes(tmp_path, EVERY, 3000)
    for case in EVERY:
        assert_same(tmp_path, case)
