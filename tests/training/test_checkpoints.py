"""Checkpoints that a disk did not take are taken away, with one line; the newest whole one is found."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from unsee.errors import InputError
from unsee.training.checkpoints import COMPLETE, latest_checkpoint, written_whole


def half_written(folder: Path, error: Exception) -> None:
    with written_whole(folder):
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"half")
        raise error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(30, "Read-only file system"), "Read-only file system"),
        (SafetensorError("I/O error"), "the disk seems to be full"),
        (RuntimeError("[enforce fail at inline_container.cc:668]"), "the disk seems to be full"),
    ],
)
def test_what_could_be_written_of_a_checkpoint_goes_with_what_could_not(
    error: Exception, reason: str, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoint-3"
    with pytest.raises(InputError, match=f"cannot write {folder}: {reason}; make room") as told:
        half_written(folder, error)
    assert isinstance(told.value.__cause__, OSError)  # which tells a full disk from something that was given wrong
    assert not folder.exists()


def test_an_error_of_the_program_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="shapes"):
        half_written(tmp_path / "checkpoint-3", RuntimeError("shapes do not fit"))
    assert (tmp_path / "checkpoint-3").is_dir()


def test_without_a_whole_checkpoint_there_is_none_to_go_on_from(tmp_path: Path) -> None:
    assert latest_checkpoint(tmp_path) is None
    (tmp_path / "checkpoint-3").mkdir()
    (tmp_path / "checkpoint-3" / "trainer_state.json").write_text("{}")
    assert latest_checkpoint(tmp_path) is None


def test_the_newest_whole_checkpoint_is_found(tmp_path: Path) -> None:
    for step in (9, 10, 11):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "trainer_state.json").write_text("{}")
        save_file({"weight": torch.zeros(1)}, folder / "model.safetensors")
    for step in (9, 10):  # the last one was killed while it was written
        (tmp_path / f"checkpoint-{step}" / COMPLETE).touch()
    assert latest_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
