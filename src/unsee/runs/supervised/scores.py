"""The content of a training's `scores.json`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from unsee.data.example import Role as ProbeRole
from unsee.evaluation.fitness import Fitness
from unsee.evaluation.results import Score
from unsee.runs.supervised.settings import Role

VERSION = 1


class Look(BaseModel):
    """What was seen at one step: by probe, the share of right answers among the rows that are looked at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: int
    probes: dict[str, float]


class Ended(BaseModel):
    """How far a training came of what `until` asked for.

    Attributes:
        score: that each of the probes had to reach.
        probes: which.
        rows: of each that were looked at, at most.
        reached: whether all did.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    score: float
    probes: list[str]
    rows: int
    reached: bool


class Facts(BaseModel):
    """What is known of a training when it is over, kept in `checkpoints/training.json`.

    Attributes:
        curve: loss by step, nats per token: the mean over answers.
        looks: what was seen on the way, if anything was looked at.
        steps: optimizer steps.
        learning_rate: the highest one.
        warmup_steps: until that rate.
        from_nothing: whether the model knew nothing to begin with.
        parts: of each part, how many weights moved and how many there are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    curve: list[dict[str, float]]
    looks: list[Look]
    steps: int
    learning_rate: float
    warmup_steps: int
    from_nothing: bool
    parts: dict[str, tuple[int, int]]


class TrainScores(Facts):
    """What came of a training.

    Attributes:
        model: that it began with.
        role: base or gold, where it was to be one of them.
        rows: how many were learned.
        probes: share of right answers over all rows of each probe, with its 95 % interval, and further metrics.
        roles: what each probe is for in the benchmark that it is of.
        trained_on: the probes that ask training rows.
        until: how far it came of what was asked for; None if nothing was.
        fitness: of a base, whether it knows what is to go; of gold, whether it does not.
        seconds: that each stage took.
    """

    version: int = VERSION
    model: str
    role: Role | None
    rows: int
    probes: dict[str, Score]
    roles: dict[str, ProbeRole | None]
    trained_on: list[str]
    until: Ended | None
    fitness: Fitness | None
    seconds: dict[str, float]
