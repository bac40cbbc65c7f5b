"""How it was made: the request, the command, every method with its hyper-parameters, settings and versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from unsee.report.contents import Report
from unsee.report.section import Section
from unsee.report.standings import Standing, standings
from unsee.system.wording import duration, flat, percent

REQUESTS = {
    "visual": "The request is visual: the model shall no longer recognise from a photograph, and keep what it knows in "
    "words.",
    "textual": "The request is textual: the facts shall go, and what photographs show shall stay.",
    "both": "The request is for both: neither photographs nor words shall bring the facts back.",
}


@dataclass(frozen=True)
class Training:
    """How a model was made."""

    label: str
    colour: str
    paper: str
    duration: str
    hyper_parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Mask:
    """What a saliency mask lets through in one part of a model."""

    label: str
    part: str
    reached: str
    passing: str


@dataclass(frozen=True)
class Block:
    """Settings, folded away."""

    title: str
    pairs: list[tuple[str, str]]


@dataclass(frozen=True)
class Made:
    """What the section shows."""

    request: str
    command: str
    trainings: list[Training]
    masks: list[Mask]
    blocks: list[Block]


def prepare(report: Report) -> Made:
    """Whatever is known of how the models came about."""
    blocks = {"Settings": report.settings, "Versions, seeds and hashes": report.environment}
    return Made(
        REQUESTS.get(report.request or "", ""),
        report.command,
        [_training(standing) for standing in standings(report)] if report.methods else [],
        [
            Mask(report.models[name].label, part, percent(density.reached, 1), percent(density.passing, 1))
            for name, parts in report.saliency.items()
            for part, density in parts.items()
        ],
        [Block(title, list(flat(settings))) for title, settings in blocks.items() if settings],
    )


def _training(standing: Standing) -> Training:
    model = standing.model
    seconds = "\N{EN DASH}" if model.seconds is None else duration(model.seconds)
    return Training(standing.label, standing.colour, model.paper or "", seconds, model.hyper_parameters)


SECTION = Section("made", "How it was made", "made", prepare, place=100)
