"""A callback that looks at a model while it is trained, and may put the weights of an earlier look back.

What it knows is part of every checkpoint, so that a run which was interrupted ends as if it had not been.
`UnlearnTrainer` starts it and resumes it.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState

from unsee.errors import InputError
from unsee.system.strict import parse_json
from unsee.vlm.policy import Policy
from unsee.vlm.sharded import is_sharded, joined, local, rows_of


class Watch(TrainerCallback):
    """The weights of one step are kept beside those that are trained, until a later look chooses others.

    Attributes:
        what: its name, which its file in a checkpoint has too.
        policy: the one that is trained, in the precision in which it is trained.
    """

    what: ClassVar[str]
    policy: Policy

    def __init__(self) -> None:
        self.kept = 0  # step of the weights that are kept
        self._weights: dict[str, Tensor] = {}

    @abstractmethod
    def begin(self, policy: Policy) -> None:
        """Take the first look, at the starting weights."""

    @abstractmethod
    def known(self) -> dict[str, Any]:
        """What a checkpoint is to hold beside the weights, as JSON has it."""

    @abstractmethod
    def know(self, known: Any) -> None:
        """Take over what a checkpoint holds; InputError where no watch wrote it."""

    def keep(self, step: int) -> None:
        """Keep the weights as they are now."""
        self.kept, self._weights = step, self._moving()

    @torch.no_grad()
    def put_back(self) -> None:
        """Give the model the weights that are kept."""
        for name, weight in self.policy.model.named_parameters():
            if name in self._weights:
                local(weight).copy_(self._weights[name])

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Put what is known into the checkpoint; the kept weights too, unless they are those of the checkpoint."""
        weights = {} if self.kept == state.global_step else self._whole()  # by all: each may have its rows alone
        if state.is_world_process_zero:
            header = json.dumps({**self.known(), "kept": self.kept})
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            save_file(weights, folder / self.file, metadata={self.what: header})

    def resume(self, checkpoint: Path) -> None:
        """Know again what was known at a checkpoint, whose weights the model has.

        Raises:
            InputError: when the checkpoint was written without this watch, or what it wrote is damaged.
        """
        path, what = checkpoint / self.file, f"a {self.what}"
        if not path.is_file():
            raise InputError(f"{checkpoint}: has no {self.file}, as it was written without {what}; resume without one")
        try:
            with safe_open(path, framework="pt") as stored:
                header = parse_json((stored.metadata() or {})[self.what], "its header")
                weights = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 -- no dictionary
            self.know(header)
        except (SafetensorError, KeyError, InputError) as error:
            raise InputError(f"{path}: not what {what} wrote ({error}); remove {checkpoint}") from error
        own = {name: rows_of(value, self.policy.model.get_parameter(name)) for name, value in weights.items()}
        self.kept, self._weights = int(header["kept"]), own or self._moving()

    @property
    def file(self) -> str:
        """Its name in a checkpoint."""
        return f"{self.what}.safetensors"

    def _moving(self) -> dict[str, Tensor]:
        """A copy of the weights that may move, off the accelerator; in pieces, of the rows that this process has."""
        return {
            name: local(weight.detach()).to("cpu", copy=True)
            for name, weight in self.policy.model.named_parameters()
            if weight.requires_grad
        }

    def _whole(self) -> dict[str, Tensor]:
        """The weights that are kept, all rows of them."""
        model = self.policy.model
        if not is_sharded(model):
            return self._weights
        likes = {name: model.get_parameter(name) for name in self._weights}
        return {name: joined(rows.to(likes[name].device), likes[name]).cpu() for name, rows in self._weights.items()}
