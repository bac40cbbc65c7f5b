"""Training from nothing: rows of a length share batches, and an interrupted training goes on where it was."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CLIPVisionModel, LlavaForConditionalGeneration, LlavaProcessor

from unsee.data import Example
from unsee.training.checkpoints import latest_checkpoint
from unsee.training.trainer import UnlearnTrainer
from unsee.world import training
from unsee.world.architecture import make_model, make_processor, vision_config
from unsee.world.training import schedule, train_llava

ROWS = [Example(f"Who is number {n}?", " ".join(["Ann Bell"] * (1 + n % 4))) for n in range(16)]
STEPS, BATCH = 6, 4


@pytest.fixture(scope="module")
def processor() -> LlavaProcessor:
    return make_processor([f"USER: {row.question} ASSISTANT: {row.answer}" for row in ROWS * 2])


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    CLIPVisionModel(vision_config()).save_pretrained(folder)
    return folder


def test_an_interrupted_training_ends_with_the_same_weights(
    processor: LlavaProcessor, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "STEPS_LOST_AT_MOST", 2)

    def train(name: str) -> LlavaForConditionalGeneration:
        plan = schedule(tmp_path / name, STEPS, BATCH, 1e-3, 1, seed=0)
        model = make_model(processor, seed=0, layers=1)
        train_llava(model, processor, ROWS, encoder, plan, by_length=True, checkpoints=tmp_path / f"{name}-checkpoints")
        return model

    whole = train("whole")
    step = UnlearnTrainer.training_step
    done: list[int] = []

    def interrupted(self: UnlearnTrainer, *arguments: Any) -> torch.Tensor:
        if len(done) == 5:
            raise KeyboardInterrupt
        done.append(1)
        return step(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(UnlearnTrainer, "training_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train("broken")
    left = latest_checkpoint(tmp_path / "broken-checkpoints")
    assert left is not None
    assert left.name == "checkpoint-4"

    def counted(self: UnlearnTrainer, *arguments: Any) -> torch.Tensor:
        done.append(2)
        return step(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(UnlearnTrainer, "training_step", counted)
        resumed = train("broken")
    assert done.count(2) == STEPS - 4
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name
