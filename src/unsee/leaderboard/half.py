"""One half of the people of a plan, as the setting of cells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from unsee.leaderboard.ground import Stage


@dataclass(frozen=True)
class Half:
    """One half of the people, asked after a training with a seed.

    Attributes:
        stage: which half.
        seed: of the training; None for models that were there before.
        of: digest of models, rows and settings.
        plan: the file that workers read.
    """

    stage: Stage
    seed: int | None
    of: str
    plan: str

    @property
    def name(self) -> str:
        """See `unsee.leaderboard.ground.Setting`; so are the others."""
        return self.stage if self.seed is None else f"{self.stage}-{self.seed}"

    @property
    def runs(self) -> str:
        """What works off a cell."""
        return "unsee.leaderboard.planned_work:run_cell"

    def untrained(self) -> Half:
        """The same without a seed."""
        return replace(self, seed=None)

    def to_dict(self) -> dict[str, Any]:
        """What determines a cell."""
        return {"half": {"stage": self.stage, "seed": self.seed, "of": self.of}}

    def needed(self) -> dict[str, Any]:
        """Where the plan is."""
        return {"plan": self.plan}
