"""What an unlearned model still says of what was judged hallucinated and real, in words."""

from __future__ import annotations

from typing import Literal

from unsee.evaluation.results import JudgedCheck, Tally
from unsee.report.contents import ModelResult, Report
from unsee.system.wording import counted

SILENT = 0.5  # below this share of the base's real phrases, a model says too little to have learned anything

Judging = Literal[
    "says less", "says less of both", "says less by brevity", "says as much", "hardly names", "not judged"
]


def judging(report: Report, model: ModelResult) -> tuple[Judging, str]:
    """What became of the judged phrases, with the numbers: on held-out captions, else on those that were trained on."""
    base = report.of_role("base")
    probes = [probe for probe in report.probes if base and probe.name in model.judged and probe.name in base.judged]
    if base is None or not probes:
        return "not judged", ""
    probe = min(probes, key=lambda candidate: (candidate.trained_on, not candidate.forget))
    after, before = model.judged[probe.name], base.judged[probe.name]
    pictures = "the pictures that it was trained on" if probe.trained_on else probe.title
    sentence = (
        f"By the scorer's labels, on {pictures}: of {counted(after.hallucinated.judged, 'phrase')} judged hallucinated "
        f"{_change(after.hallucinated, before.hallucinated, 'said')}; of {after.real.judged:,} judged real "
        f"{_change(after.real, before.real, 'named')}; captions went from {_words(before)} to {_words(after)} words. "
        f"{_cut(after)}Newly hallucinated objects are not seen."
    )
    return _outcome(after, before), sentence


def _change(after: Tally, before: Tally, verb: str) -> str:
    """ "31 were said and 12 are now (at equal length 25 and 12)"."""
    matched = f"{after.base_said_matched:,} and {after.said_matched:,}"
    return f"{before.said:,} were {verb} and {after.said:,} are now (at equal length {matched})"


def _cut(check: JudgedCheck) -> str:
    """What nobody can know of captions that were cut off."""
    unknown = check.hallucinated.unknown + check.real.unknown
    if not unknown:
        return ""
    return (
        f"{check.truncated or 0:,} of {counted(check.captions, 'caption')} were cut off at max_new_tokens: whether "
        f"they would have named another {unknown:,} of these phrases is not known. "
    )


def share_of(part: int, whole: int) -> float | None:
    """None where there is nothing to share."""
    return part / whole if whole else None


def _words(check: JudgedCheck) -> str:
    return "\N{EN DASH}" if check.mean_words is None else f"{check.mean_words:.1f}"


def _outcome(after: JudgedCheck, before: JudgedCheck) -> Judging:
    """What the numbers come to, at equal length.

    Phrases were judged in what the base said, so whatever says anything else says fewer of them, the real ones as well:
    less is less only where more is left of the real ones than of the hallucinated.
    """
    if after.real.said + after.real.unknown < SILENT * before.real.said:
        return "hardly names"
    if not before.hallucinated.said:
        return "not judged"
    hallucinated, real = _left(after.hallucinated), _left(after.real)
    if hallucinated >= 1:
        return "says as much" if after.hallucinated.said >= before.hallucinated.said else "says less by brevity"
    return "says less" if hallucinated < real else "says less of both"


def _left(tally: Tally) -> float:
    """What the model says of what the base does, at equal length."""
    return tally.said_matched / tally.base_said_matched if tally.base_said_matched else 1.0
