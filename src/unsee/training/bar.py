"""How a training shows its progress."""

from __future__ import annotations

from typing import Any

from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from unsee.system.progress import Steps


class Bar(TrainerCallback):
    """A progress bar over the optimizer steps."""

    def __init__(self, description: str) -> None:
        self.description = description
        self.steps: Steps | None = None

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            self.steps = Steps(self.description, total=state.max_steps, done=state.global_step)

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.steps is not None:
            self.steps.advance()

    def on_train_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self.close()

    def close(self) -> None:
        """Take the bar away, also where a training ended in an error."""
        if self.steps is not None:
            self.steps.close()


def quiet_trainer(trainer: Trainer) -> None:
    """Take away the bars and lines that a trainer prints of its own accord; `Bar` shows the progress."""
    trainer.remove_callback(ProgressCallback)
    trainer.remove_callback(PrinterCallback)
