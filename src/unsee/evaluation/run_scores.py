"""The content of `scores.json`: written by a run, and read by report, demos and command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, field_validator

from unsee.data.example import Role
from unsee.errors import InputError
from unsee.evaluation.fitness import Fitness
from unsee.evaluation.results import Again, Check, Condition, JudgedCheck, Score
from unsee.system.files import read_json
from unsee.system.typed import typed
from unsee.training.done import Ended
from unsee.training.rates import FoundRate

VERSION = 2  # of `scores.json`; files without a version are those of 1

# The means that files of version 1 had among the numbers of a probe. They are still written there, beside `metrics`,
# for whoever reads them.
FLAT_MEANS = (
    *("mean_answer_probability", "rouge_l_recall", "truth_ratio_forget", "truth_ratio_retain"),
    *("probability_among_options", "choice_by_sum", "choice_by_mean", "choice_strict", "choice_tolerant"),
)


def _with_metrics(numbers: Any) -> Any:
    """The numbers of a probe as a file holds them: its flat means are metrics without an interval."""
    if not isinstance(numbers, Mapping):
        return numbers
    own = {key: value for key, value in numbers.items() if key in Score.model_fields or key not in FLAT_MEANS}
    means = {name: {"score": value} for name, value in numbers.items() if name not in own}
    metrics = own.get("metrics", {})
    return {**own, "metrics": {**means, **metrics}} if means and isinstance(metrics, Mapping) else own


def _flat_means(numbers: Mapping[str, Any]) -> dict[str, float | None]:
    metrics = numbers.get("metrics", {})
    return {name: metrics[name]["score"] for name in FLAT_MEANS if name in metrics}


_ReadScore = Annotated[Score, BeforeValidator(_with_metrics)]


class Compared(BaseModel):
    """Everything that records say about models which were asked the same; see `unsee.evaluation.compared`.

    Attributes:
        models: scores by model and probe.
        hallucination: what is hallucinated, by model and probe, of the probes that can tell.
        judged: what is still said of what was judged, by model and probe, of captions with judged phrases.
        roles: what each probe is for, or None where nobody said.
        pictures: of each probe the rows with a picture, and those with one that was trained on.
        condition: by model, what makes its scores say nothing about forgetting, or None.
        after: by model and probe, what of an earlier request it says again.
    """

    model_config = ConfigDict(frozen=True)

    models: dict[str, dict[str, _ReadScore]]
    hallucination: dict[str, dict[str, Check]] = {}
    judged: dict[str, dict[str, JudgedCheck]] = {}
    roles: dict[str, Role | None] = {}
    pictures: dict[str, dict[str, int]] = {}
    condition: dict[str, Condition | None] = {}
    after: dict[str, dict[str, Again]] = {}

    def to_dict(self) -> dict[str, Any]:
        """For JSON; without what is not known, and with the means of version 1 beside the metrics."""
        values = self.model_dump(mode="json", exclude_unset=True)
        for probes in values["models"].values():
            for probe, numbers in probes.items():
                probes[probe] = {**numbers, **_flat_means(numbers)}
        return values


class Facts(BaseModel):
    """What is known of a training, as `training.json` holds it; with whatever else it holds.

    Attributes:
        curve: the losses of each step; a term that is no number is None.
        parts: of each part the weights that may move, and all.
        saliency: of each part what its mask lets through.
        steps: optimizer steps.
        unread: weights of the checkpoint that its architecture has no place for.
        moved: how far the weights went, as `unsee.vlm.change.Start.moved` has it.
        spans: as `unsee.evaluation.span_likelihood.moved_spans` has it; None for methods without spans.
        watched: looks of the guard; None without one, empty where it had nothing to watch.
        stopped: as `unsee.training.guard.Stopped` has it; None where it did not stop.
        ended: how a run with `stop` went; None without.
        rate: what a range test found, of a run with `find_rate`; None without.
        preserved: what became of the preserve rows, in a sentence; None where there are none.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    curve: list[dict[str, float | None]]
    parts: dict[str, tuple[int, int]]
    saliency: dict[str, dict[str, float | None]]
    steps: int
    unread: list[str] = []
    moved: dict[str, float | None] | None = None
    spans: dict[str, Any] | None = None
    watched: list[dict[str, int | float | None]] | None = None
    stopped: dict[str, int | float | None] | None = None
    ended: Ended | None = None
    rate: FoundRate | None = None
    preserved: str | None = None


class RunScores(Facts, Compared):
    """The content of `scores.json`.

    Attributes:
        version: of what the file holds.
        method: its model is under this name.
        trained_on: probes that are training rows.
        unreadable: captions that were left out, as `unsee.evaluation.unreadable.Unreadable` has it.
        taken_over: from which run records of the base are, by probe.
        seconds: that each stage took.
        fitness: whether the base knows what is to go; None where no probe is about that.
        advice: what to try next, in full sentences.
    """

    version: int = 1
    method: str
    trained_on: list[str]
    unreadable: dict[str, list[dict[str, Any]]] = {}
    taken_over: dict[str, str] = {}
    seconds: dict[str, float]
    fitness: Fitness | None = None
    advice: list[str] = []

    @field_validator("models")
    @classmethod
    def _with_base(cls, models: dict[str, Any]) -> dict[str, Any]:
        if "base" not in models or len(models) < 2:
            raise ValueError("holds the scores of base and of the unlearned model")
        return models

    def knows(self, *fields: str) -> bool:
        """Whether all of these were looked at: a run of an earlier version may lack some."""
        return self.model_fields_set.issuperset(fields)

    def to_dict(self) -> dict[str, Any]:
        """For JSON; without what is not known."""
        return {"version": self.version, "method": self.method, **super().to_dict()}


def values_of(scores: Compared | Facts) -> dict[str, Any]:
    """The fields that were looked at, and whatever else it holds, for another that has them too."""
    return {name: value for name, value in scores if name in scores.model_fields_set}


def read_scores(path: Path) -> RunScores:
    """A `scores.json`.

    Raises:
        InputError: it cannot be read, is of a later version, or a field of it makes no sense; the message names it.
    """
    content = read_json(path)
    version = content.get("version", 1) if isinstance(content, dict) else 1
    if isinstance(version, int) and version > VERSION:
        raise InputError(
            f"{path}: is of version {version} and this unsee reads up to {VERSION}; open it with the version of unsee "
            "that wrote it, or a later one"
        )
    scores: RunScores = typed(content, RunScores, str(path))
    return scores
