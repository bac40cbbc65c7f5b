"""The callback that tests rates; the rule is in `unsee.training.rates`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from transformers import TrainerControl, TrainerState

from unsee.data.example import Example
from unsee.training.likelihood import mean_log_likelihood
from unsee.training.rates import Tried, broken
from unsee.training.watch import Watch
from unsee.vlm.encoding import Encoder
from unsee.vlm.policy import Policy


class RangeTest(Watch):
    """Raises the rate of a training from step to step, until what should stay breaks, and puts the weights back.

    Args:
        encoder: of the model.
        rows: whose answers are looked at, by set.
        wanted: the rates, one for each step.
        batch_size: examples per forward pass.
    """

    what = "range test"

    def __init__(
        self, encoder: Encoder, rows: Mapping[str, Sequence[Example]], wanted: Sequence[float], batch_size: int
    ) -> None:
        super().__init__()
        self.encoder, self.rows, self.wanted, self.batch_size = encoder, rows, wanted, batch_size
        self.tried: list[Tried] = []

    def begin(self, policy: Policy) -> None:
        """Look at the starting weights."""
        self.policy = policy
        self.start = self._likely()
        self.keep(0)

    def on_step_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Set the rate."""
        for group in kwargs["optimizer"].param_groups:
            group["lr"] = self.wanted[state.global_step]

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Look, and end the test where what should stay is broken."""
        self.tried.append(Tried(rate=self.wanted[state.global_step - 1], likely=self._likely()))
        control.should_training_stop = control.should_training_stop or broken(self.tried[-1].likely, self.start)

    def known(self) -> dict[str, Any]:
        """Nothing: a test writes no checkpoint."""
        return {}

    def know(self, known: Any) -> None:
        """Nothing, likewise."""

    def _likely(self) -> dict[str, float | None]:
        likely = {
            name: mean_log_likelihood(self.policy, self.encoder, rows, self.batch_size)
            for name, rows in self.rows.items()
        }
        return {name: value if value > float("-inf") else None for name, value in likely.items()}
