"""What a bench stands on: the models before and gold, the rows, and what each probe of them is for.

A ground is one of two: worlds of fictitious people, one for each seed (`unsee.leaderboard.worlds`), or a model with the
rows of a benchmark or of a user, whose people are halved (`unsee.leaderboard.planned`). Selection looks at settings of
development alone, and what is reported comes from settings of reporting, which have other people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from unsee.data.example import Role
from unsee.evaluation.records import Record
from unsee.leaderboard.grids import Centre
from unsee.system.executors import Executor
from unsee.types import Request

if TYPE_CHECKING:
    from unsee.leaderboard.place import Trial

Stage = Literal["development", "reporting"]


class Models(NamedTuple):
    """Folders or hub ids of the two models that a setting has to begin with."""

    base: str
    gold: str


class Setting(Protocol):
    """What a cell is trained and asked on."""

    @property
    def seed(self) -> int | None:
        """Of the training; None where nothing is trained, and seeds make no difference."""

    @property
    def name(self) -> str:
        """Of the folder that its cells are in."""

    @property
    def runs(self) -> str:
        """What works off a cell, as "package.module:function"."""

    def untrained(self) -> Setting:
        """The setting in which models are measured that were there before: base, gold, the prompt."""

    def to_dict(self) -> dict[str, Any]:
        """What determines a cell besides what is tried, as JSON holds it under a key of its own."""

    def needed(self) -> dict[str, Any]:
        """What `runs` has to be told beside that, such as where something lies."""


class Ground(Protocol):
    """What all settings of a bench have in common."""

    @property
    def request(self) -> Request:
        """What is to go."""

    @property
    def crossed(self) -> bool:
        """Whether all seeds have the same people, so that further seeds bring no further people."""

    @property
    def centre(self) -> Centre:
        """What grids are laid around."""

    @property
    def names(self) -> bool:
        """Whether a prompt can name those who are to be forgotten."""

    def check(self, seeds: Sequence[int]) -> None:
        """InputError for what cannot be."""

    def identity(self) -> dict[str, Any]:
        """What a folder has of one bench alone; another is refused there."""

    def to_dict(self) -> dict[str, Any]:
        """What it is, for whoever reads the plan of a bench."""

    def setting(self, seed: int, stage: Stage) -> Setting:
        """The setting of a seed."""

    def prepare(self, out: Path, seeds: Sequence[int], executor: Executor) -> None:
        """Make the models that are not there yet, or have them made."""

    def models(self, seed: int | None) -> Models:
        """Base and gold of a seed, once they are prepared."""

    def role(self, probe: str) -> Role | None:
        """What a probe is for."""

    def trial(self) -> Trial | None:
        """A model to be tried out before a bench, or None where there is none yet."""

    def told(self, development: Sequence[int], seeds: Sequence[int]) -> tuple[str, str, str]:
        """In words: what is to go, where configurations were tried, and where the selected ones were measured."""

    def published(
        self, records: Mapping[str, Sequence[Record]], gold: Mapping[str, Sequence[Record]]
    ) -> Iterable[tuple[str | None, str, float | None, int | None]]:
        """Probe, metric, score and rows of each number of a benchmark's paper, from the records of a model by probe."""

    def asked(self) -> str:
        """What was asked, as what comes after "shares of right answers"; probes on training rows are named."""

    def limits(self) -> list[str]:
        """What intervals of this ground do not cover, a sentence or two each."""

    def command(self) -> list[str]:
        """Arguments of `unsee bench` that name it."""
