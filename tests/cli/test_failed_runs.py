"""A run that failed keeps what it has finished and stands in nobody's way; a finished one keeps what is wanted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors import SafetensorError
from transformers import LlavaProcessor, Trainer

from tests.cli.conftest import Stranger, write_rows
from tests.cli.test_wrong_input import Scene, check
from tests.commandline import Outcome, call, files_of
from unsee.evaluation.measure import measure_all
from unsee.runs import folder, measure, run
from unsee.training.trainer import UnlearnTrainer

BASE = "records/base/forget.jsonl"


@pytest.fixture
def scene(stranger: Stranger, tmp_path: Path) -> Scene:
    few = [write_rows(tmp_path / f"{name}.jsonl", name, 4, 10 * place) for place, name in enumerate(("Ada", "Max"))]
    small = Scene(stranger, tmp_path).spoil(forget=few[0], retain=few[1])
    return small.add("--no-report", "--set", "save_steps=1", "--set", "batch_size=4")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The probes that models are asked, as it happens."""
    found: list[str] = []

    def noted(loaded: Any, probes: Any, folder: Path, *more: Any, **others: Any) -> Any:
        found.extend(f"{folder.name} {one.name}" for one in probes if not (folder / f"{one.name}.jsonl").is_file())
        return measure_all(loaded, probes, folder, *more, **others)

    monkeypatch.setattr(measure, "measure_all", noted)
    return found


def seed_of(out: Path) -> int:
    seed: int = yaml.safe_load((out / "run.yaml").read_text())["settings"]["seed"]
    return seed


def exhausted(*_: object, **__: object) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB.")


def test_after_a_training_that_diverges_its_own_advice_can_be_followed(scene: Scene, asked: list[str]) -> None:
    check(call(*scene.arguments, "--set", "learning_rate=1e30"), ["smaller learning_rate than 1e+30"])
    assert asked == ["base forget", "base retain"]
    assert call(*scene.arguments, "--set", "learning_rate=1e-5").code == 0
    assert asked[2:] == ["npo forget", "npo retain"]  # the base is the same
    assert not (scene.out / "failed.json").exists()


def test_too_little_memory_to_train_keeps_the_records_of_the_base(
    scene: Scene, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(UnlearnTrainer, "training_step", exhausted)
        check(call(*scene.arguments), ["too little memory", "smaller batch_size"])
    before = (scene.out / BASE).read_bytes()
    assert call(*scene.arguments, "--set", "batch_size=2").code == 0
    assert (scene.out / BASE).read_bytes() == before
    assert asked == ["base forget", "base retain", "npo forget", "npo retain"]


def test_a_full_disk_keeps_the_records_of_the_base(
    scene: Scene, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save = LlavaProcessor.save_pretrained

    def full(self: Any, folder: str, *more: Any, **others: Any) -> Any:
        if ".model." in str(folder):
            raise OSError(28, "No space left on device")
        return save(self, folder, *more, **others)

    with monkeypatch.context() as patched:
        patched.setattr(LlavaProcessor, "save_pretrained", full)
        check(call(*scene.arguments), ["cannot write", "No space left on device"])
    assert call(*scene.arguments).code == 0
    assert asked == ["base forget", "base retain", "npo forget", "npo retain"]


@pytest.mark.parametrize("change", ["max_new_tokens=3", "seed=3"])
def test_records_that_another_run_would_not_make_are_made_again(scene: Scene, asked: list[str], change: str) -> None:
    check(call(*scene.arguments, "--set", "learning_rate=1e30"), ["smaller learning_rate"])
    left = {path: path.stat().st_mtime_ns for path in scene.out.rglob("checkpoint-*")}
    assert left
    assert call(*scene.arguments, "--set", change).code == 0
    again = [] if change.startswith("seed") else ["base forget", "base retain"]
    assert asked == ["base forget", "base retain", *again, "npo forget", "npo retain"]


def test_too_little_memory_to_measure_the_model_loses_nothing(
    scene: Scene, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(run, "measure_after", exhausted)
        check(call(*scene.arguments), ["too little memory to measure", "smaller eval_batch_size"])
    model = (scene.out / "model" / "model.safetensors").stat().st_mtime_ns
    assert call(*scene.arguments, "--set", "eval_batch_size=2").code == 0
    assert (scene.out / "model" / "model.safetensors").stat().st_mtime_ns == model


def test_a_finished_run_makes_room_when_it_is_to_be_overwritten(scene: Scene) -> None:
    assert call(*scene.arguments).code == 0
    (scene.out / "mine.txt").write_text("mine")
    first = (scene.out / "model" / "model.safetensors").read_bytes()
    check(call(*scene.arguments, "--set", "seed=3"), ["holds another run", "or --overwrite"])
    assert call(*scene.arguments, "--set", "seed=3", "--overwrite").code == 0
    assert seed_of(scene.out) == 3
    assert (scene.out / "model" / "model.safetensors").read_bytes() != first
    assert (scene.out / "mine.txt").read_text() == "mine"
    assert call(*scene.arguments, "--overwrite").code == 0
    assert (scene.out / "model" / "model.safetensors").read_bytes() == first


def test_what_is_overwritten_is_a_run_and_nothing_that_the_new_one_reads(scene: Scene, tmp_path: Path) -> None:
    scene.out.mkdir()
    (scene.out / "thesis.tex").write_text("x")
    check(call(*scene.arguments, "--overwrite"), ["is not empty and holds no run"])
    (scene.out / "thesis.tex").unlink()
    assert call(*scene.arguments).code == 0
    before = files_of(scene.out)
    inside = scene.spoil(model=scene.out / "model")
    check(call(*inside.arguments, "--overwrite"), [f"{scene.out / 'model'} lies in {scene.out}", "give another folder"])
    assert files_of(scene.out) == before


def test_nothing_is_overwritten_before_everything_given_has_been_checked(scene: Scene) -> None:
    assert call(*scene.arguments).code == 0
    before = files_of(scene.out)
    check(call(*scene.spoil(retain=scene.folder / "none.jsonl").arguments, "--overwrite"), ["none.jsonl"])
    assert files_of(scene.out) == before


def test_a_run_that_was_killed_while_it_overwrote_goes_on(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(*scene.arguments).code == 0
    for place in ("_clear", "write_text"):
        work: Callable[..., Any] = getattr(folder, place)

        def killed_behind(*arguments: Any, work: Callable[..., Any] = work, **more: Any) -> None:
            work(*arguments, **more)
            raise SystemExit(9)

        with monkeypatch.context() as patched:
            patched.setattr(folder, place, killed_behind)
            with pytest.raises(SystemExit):
                call(*scene.arguments, "--set", "seed=3", "--overwrite")
    assert call(*scene.arguments, "--set", "seed=3").code == 0
    assert seed_of(scene.out) == 3
    assert not (scene.out / "failed.json").exists()


@pytest.mark.parametrize("kept", [False, True])
def test_checkpoints_go_when_the_model_is_written_unless_they_are_asked_for(scene: Scene, kept: bool) -> None:
    outcome: Outcome = call(*scene.arguments, "--set", f"keep_checkpoints={str(kept).lower()}")
    assert outcome.code == 0
    names = {path.name for path in (scene.out / "checkpoints").iterdir() if path.is_dir()}
    assert names == ({"checkpoint-1", "checkpoint-2"} if kept else set())
    if kept:  # as `unsee doctor` reckons: two moments beside each weight
        last = scene.out / "checkpoints" / "checkpoint-2"
        sizes = [(last / name).stat().st_size for name in ("model.safetensors", "optimizer.pt")]
        assert sizes[1] / sizes[0] == pytest.approx(2, rel=0.1)
    assert call(*scene.arguments).code == 0  # which goes on, and takes them away
    assert not [*(scene.out / "checkpoints").glob("checkpoint-*")]


def test_a_run_that_goes_on_does_not_decode_its_pictures_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Any] = []
    monkeypatch.setattr("unsee.data.load.check", looked.append)
    assert call(*scene.arguments).code == 0
    assert looked
    first = len(looked)
    assert call(*scene.arguments).code == 0
    assert call("report", scene.out).code == 0
    assert len(looked) == first
    (scene.folder / "photos" / "1.png").write_bytes(b"broken")
    check(call(*scene.arguments), ["1.png"])


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError("[enforce fail at inline_container.cc:671] . unexpected pos 113600 vs 113488"),
    ],
    ids=["system", "safetensors", "torch"],
)
def test_a_disk_that_is_full_while_a_checkpoint_is_written_costs_that_checkpoint_alone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    scene.add("--set", "max_steps=3", "--set", "keep_checkpoints=true")
    save = Trainer._save_rng_state

    def full(self: Trainer, folder: str) -> None:
        if self.state.global_step == 2:
            raise error
        save(self, folder)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_save_rng_state", full)
        check(call(*scene.arguments), ["cannot write", "checkpoint-2", "make room, and start the same command again"])
    assert sorted(path.name for path in scene.out.glob("checkpoints/checkpoint-*")) == ["checkpoint-1"]
    steps: list[int] = []
    step = UnlearnTrainer.training_step

    def counted(self: UnlearnTrainer, *arguments: Any) -> Any:
        steps.append(self.state.global_step)
        return step(self, *arguments)

    monkeypatch.setattr(UnlearnTrainer, "training_step", counted)
    assert call(*scene.arguments).code == 0
    assert steps == [1, 2]
    assert sorted(path.name for path in scene.out.glob("checkpoints/checkpoint-*")) == ["checkpoint-2", "checkpoint-3"]
