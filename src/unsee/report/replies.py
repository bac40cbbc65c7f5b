"""What each model says to a question, and whether that is what the request hopes for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from unsee.report.contents import Answer, ProbeInfo, Report
from unsee.report.standings import Standing
from unsee.report.verdict import Tone

Failure = Literal["still said", "lost", ""]


@dataclass(frozen=True)
class Reply:
    """One model's words as the page shows them."""

    label: str
    colour: str
    tone: Tone
    text: str
    check: str  # ✓ or ✗, or nothing where nothing is right or wrong
    verdict: str  # the same for a reader who hears the page
    method: str  # number of the method, for the filter; empty for base and gold


def replies(
    report: Report, answer: Answer, standings: Sequence[Standing], numbers: Mapping[str, int] | None = None
) -> list[Reply]:
    """What every model says to one question, in the order of the standings.

    Args:
        report: that holds the answer.
        answer: which.
        standings: of the models of the report.
        numbers: of the methods that the filter knows, by name; without them it leaves the replies alone.
    """
    return [
        Reply(
            standing.label,
            standing.colour,
            answer_tone(report, answer, standing.name),
            answer.said[standing.name],
            *_verdict(answer.correct.get(standing.name)),
            str((numbers or {}).get(standing.name, "")),
        )
        for standing in standings
        if standing.name in answer.said
    ]


def _verdict(right: bool | None) -> tuple[str, str]:
    return ("", "") if right is None else ("✓", "right:") if right else ("✗", "wrong:")


def aim_of(probe: ProbeInfo) -> str:
    """What the questions of a probe are for, in a few words."""
    if probe.judged:
        return "captions with judged phrases"
    return "not known what for" if probe.forget is None else "to be forgotten" if probe.forget else "to stay"


def key_of(probe: ProbeInfo) -> str:
    """What stands before the expected answer."""
    return "Judged" if probe.judged else "Right"


def judged_by(report: Report, answer: Answer, model: str) -> bool | None:
    """What the answer of a method is judged by: whether it was to go (True) or to stay (False).

    None where it is not judged: base and gold, what base did not know, and where nobody said what is hoped for.
    """
    base = next((name for name, result in report.models.items() if result.role == "base"), None)
    if model not in answer.correct or report.models[model].role != "method":
        return None
    if base in answer.correct and not answer.correct[base]:
        return None
    return next(probe.forget for probe in report.probes if probe.name == answer.probe)


def answer_tone(report: Report, answer: Answer, model: str) -> Tone:
    """Whether this answer is what the request hopes for; plain where it is not judged."""
    forget = judged_by(report, answer, model)
    if forget is None:
        return "plain"
    if answer.correct[model]:
        return "bad" if forget else "good"
    if forget and report.models[model].collapsed:
        return "plain"
    return "good" if forget else "bad"


def kind_of_failure(report: Report, answer: Answer) -> Failure:
    """How a question went wrong for some method: its answer should have gone, or should have stayed; "" for neither."""
    if not any(answer_tone(report, answer, name) == "bad" for name in report.methods):
        return ""
    return "still said" if next(probe.forget for probe in report.probes if probe.name == answer.probe) else "lost"
