"""How far a training has come: some questions of each probe, asked every so many steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState

from unsee.benchmarks.sets import spread
from unsee.data import Example, Probe
from unsee.metrics.answers import exact_match
from unsee.runs.supervised.settings import Until
from unsee.system import processes
from unsee.vlm import LoadedModel
from unsee.vlm.generate import answers, room_for
from unsee.vlm.sharded import as_one, share

PROBES = "probes"  # the key of a look among what a trainer logs
_ROUNDING = 1e-9


class Looks(TrainerCallback):
    """Asks, and ends the training when every probe is answered as well as was asked for.

    What was seen stands in the trainer's own history, which is a part of every checkpoint: a training that goes on has
    seen what it saw before. The step at which it ends leaves no checkpoint, so that none is ever resumed beyond it.

    Args:
        loaded: the model that is trained.
        probes: whose rows are asked.
        until: when it is enough, how often to look, and at how many rows.
        batch_size: rows per forward pass.
        max_new_tokens: answers are cut there; None leaves room for what is expected.
    """

    def __init__(
        self, loaded: LoadedModel, probes: Sequence[Probe], until: Until, batch_size: int, max_new_tokens: int | None
    ) -> None:
        self.loaded, self.until, self.batch_size = loaded, until, batch_size
        self.rows = {probe.name: spread(probe.examples, until.rows) for probe in probes}
        expected = [text for rows in self.rows.values() for row in rows for text in _right(row)]
        self.room = max_new_tokens or room_for(loaded.encoder, expected)

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Look, and stop where that is enough."""
        if state.global_step % self.until.every and state.global_step < state.max_steps:
            return
        shares = {name: self._share_right(rows) for name, rows in self.rows.items()}
        state.log_history.append({"step": state.global_step, PROBES: shares})  # type: ignore[dict-item]
        if enough(shares, self.until):
            control.should_training_stop = True
            control.should_save = False

    def _share_right(self, rows: Sequence[Example]) -> float:
        """Share of the rows that are answered right; the processes do a part each, and all know all of it."""
        model, was_training = self.loaded.model, self.loaded.model.training
        model.eval()
        right: dict[int, bool] = {}
        with as_one(model):
            for start in share(model, range(0, len(rows), self.batch_size)):
                asked = rows[start : start + self.batch_size]
                replies = answers(model, self.loaded.encoder, asked, self.room)
                for place, (row, reply) in enumerate(zip(asked, replies, strict=True), start=start):
                    right[place] = exact_match(reply.text, row.answer, row.paraphrased_answers)
        model.train(was_training)
        right = processes.together(right)
        return sum(right.values()) / len(rows)


def enough(shares: dict[str, float], until: Until) -> bool:
    """Whether every probe has reached the score."""
    return all(share >= until.score - _ROUNDING for share in shares.values())


def _right(row: Example) -> tuple[str, ...]:
    return (row.answer, *row.paraphrased_answers)
