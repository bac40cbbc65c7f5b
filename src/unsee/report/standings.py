"""The models of a page in one order, each with its colour, its two main scores and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from unsee.evaluation.results import Score
from unsee.report.contents import ModelResult, ProbeInfo, Report
from unsee.report.verdict import Verdict, verdict


@dataclass(frozen=True)
class Standing:
    """One line of the result."""

    name: str
    model: ModelResult
    colour: str
    forget: Score | None
    retain: Score | None
    verdict: Verdict | None

    @property
    def label(self) -> str:
        """What the model is called on the page."""
        return self.model.label


def colour_of(report: Report, name: str) -> str:
    """The style class of a model: its role, or a number in the order of the methods."""
    role = report.models[name].role
    return role if role != "method" else f"c{list(report.methods).index(name) % 8}"


def standings(report: Report) -> list[Standing]:
    """Base first, then gold, then the methods."""
    forget, retain = report.axes
    order = sorted(report.models, key=lambda name: ("base", "gold", "method").index(report.models[name].role))
    return [
        Standing(
            name,
            (model := report.models[name]),
            colour_of(report, name),
            counted(model, forget),
            counted(model, retain),
            verdict(report, name) if model.role == "method" else None,
        )
        for name in order
    ]


def counted(model: ModelResult, probe: ProbeInfo | None) -> Score | None:
    """The score of a model on a probe, as the rule counts it; see `unsee.evaluation.criteria`."""
    score = model.scores.get(probe.name) if probe else None
    return score.counted(probe.forget) if score and probe else None


def pictures_of(probe: ProbeInfo) -> str:
    """How many of a probe's pictures the training rows show too."""
    if probe.pictures_trained_on == probe.pictures:
        return "all of its pictures were trained on"
    return f"{probe.pictures_trained_on:,} of {probe.pictures:,} pictures were trained on"
