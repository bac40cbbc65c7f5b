"""The callback that ends a training when it is done; the rule is in `unsee.training.done`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import torch
from pydantic import BaseModel, Field
from transformers import TrainerControl, TrainerState

from unsee.data.example import Example
from unsee.errors import InputError
from unsee.system import processes
from unsee.system.typed import typed
from unsee.training.asking import right_answers
from unsee.training.done import FORGET, Asked, Ended, Look, Wanted, Why, nearest, over, paced
from unsee.training.summing import anywhere
from unsee.training.watch import Watch
from unsee.vlm.encoding import Encoder
from unsee.vlm.policy import Policy
from unsee.vlm.sharded import local


class _Known(BaseModel):
    """What a checkpoint holds, beside the weights."""

    looks: list[Look] = Field(min_length=1)
    asked: Asked
    known: list[bool]
    kept: int
    pace: float


class StopWhenDone(Watch):
    """Looks at development rows, and ends the training by the rule of `unsee.training.done`.

    Args:
        encoder: of the model.
        rows: by set; those under "forget" are to go, all others to stay.
        wanted: what is asked for.
        every: optimizer steps from one look to the next; the last step is looked at whatever it is.
        batch_size: examples per forward pass.
        paces: let the rate follow the looks; see `unsee.training.done.paced`.
    """

    what = "stop"

    def __init__(
        self,
        encoder: Encoder,
        rows: Mapping[str, Sequence[Example]],
        wanted: Wanted,
        every: int,
        batch_size: int,
        paces: bool = False,
    ) -> None:
        super().__init__()
        self.paces, self.pace = paces, 1.0
        self.encoder, self.rows, self.wanted = encoder, rows, wanted
        self.every, self.batch_size = every, batch_size

    def begin(self, policy: Policy) -> None:
        """Ask the starting weights: what they know can be forgotten, and is the measure of what is kept.

        Raises:
            InputError: they know none of the rows that are to go.
        """
        self.policy, self.step, self.pace = policy, 0, 1.0
        self.why: Why | None = None
        right = self._ask()
        self.are_known = right[FORGET]
        if not any(self.are_known):
            count = len(self.are_known)
            raise InputError(
                f"stop: the model is right about none of the {count} forget rows that are looked at, so when they are "
                "forgotten would not be seen; leave stop out, or see with `unsee evaluate` what it knows"
            )
        start = {name: fmean(of_set) for name, of_set in right.items() if name != FORGET}
        self.asked = self.wanted.asked(start, self.are_known)
        self.looks = [self._look(0, right)]
        self.keep(0)

    def on_step_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Set the rate; the schedule has set its own since the last step."""
        for group in kwargs["optimizer"].param_groups:
            group["lr"] *= self.pace

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Look, keep the state if none before was as near, and end the training if it is time."""
        self.step = state.global_step
        if self.step % self.every and self.step < state.max_steps:
            return
        if not self._finite():
            self.why = "broken"
        else:
            self.looks.append(self._look(self.step, self._ask()))
            if nearest(self.looks, self.asked).step == self.step:
                self.keep(self.step)
            if self.paces:
                self.pace = paced(self.looks, self.asked, self.pace)
            self.why = over(self.looks, self.asked, last=self.step >= state.max_steps)
        if self.why is not None:
            control.should_training_stop = True
            control.should_save = False  # whoever resumes from there would train on

    def on_train_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Put the nearest state back."""
        self.put_back()

    def ended(self, held_out: Mapping[str, str]) -> Ended:
        """How it went; see `Ended`."""
        rows = {name: sum(self.are_known) if name == FORGET else len(of_set) for name, of_set in self.rows.items()}
        return Ended(
            asked=self.asked,
            rows=rows,
            held_out=dict(held_out),
            looks=self.looks,
            step=self.step,
            kept=self.kept,
            why=self.why or "steps",
        )

    def known(self) -> dict[str, Any]:
        """Its looks, what is asked and which rows were known."""
        looks = [look.model_dump() for look in self.looks]
        return {"looks": looks, "asked": self.asked.model_dump(), "known": self.are_known, "pace": self.pace}

    def know(self, known: Any) -> None:
        """Take over what a checkpoint holds."""
        held = typed(known, _Known, "its header")
        self.looks, self.asked, self.are_known, self.pace = held.looks, held.asked, held.known, held.pace

    def _ask(self) -> dict[str, list[bool]]:
        """Whether each row is right, by set."""
        right = {
            name: right_answers(self.policy, self.encoder, rows, self.batch_size) for name, rows in self.rows.items()
        }
        return processes.agreed(right)  # accelerators differ in the last bit, and no process may stop alone

    def _look(self, step: int, right: Mapping[str, Sequence[bool]]) -> Look:
        shares = {
            name: fmean(
                is_right for place, is_right in enumerate(of_set) if name != FORGET or self.are_known[place]
            )
            for name, of_set in right.items()
        }  # fmt: skip
        return Look(step=step, right=shares, pace=self.pace)

    def _finite(self) -> bool:
        """Whether all weights that may move are numbers."""
        moving = [weight for weight in self.policy.model.parameters() if weight.requires_grad]
        broken = torch.stack([~torch.isfinite(local(weight)).all() for weight in moving]).any()
        return not anywhere(broken)  # in pieces, each process sees its rows alone
