"""Does an unlearned model hallucinate more than its base? In words, from the checks of the report."""

from __future__ import annotations

from typing import Literal

from unsee.evaluation.criteria import HALLUCINATION_MARGIN
from unsee.evaluation.results import CaptionCheck, Check
from unsee.report.contents import ModelResult, ProbeInfo, Report
from unsee.system.wording import percent

SILENT = 0.5  # below this share of the base's recall, or with more answers undecided, a model says too little to judge

Hallucinating = Literal["hallucinates more", "hallucinates no more", "unclear", "not checked"]
_WORST_LAST = ("hallucinates no more", "unclear", "hallucinates more")


def hallucinating(report: Report, model: ModelResult) -> tuple[Hallucinating, str]:
    """Judge one method on every probe that can tell: the worst outcome, and a sentence with its numbers."""
    base = report.of_role("base")
    outcomes = [
        _on_probe(probe, model.hallucination[probe.name], base.hallucination[probe.name])
        for probe in report.probes
        if base and probe.name in model.hallucination and probe.name in base.hallucination
    ]
    return max(outcomes, key=lambda outcome: _WORST_LAST.index(outcome[0]), default=("not checked", ""))


def checked(report: Report) -> list[ProbeInfo]:
    """The probes that can tell, in order."""
    return [p for p in report.probes if any(p.name in model.hallucination for model in report.models.values())]


def _on_probe(probe: ProbeInfo, check: Check, base: Check) -> tuple[Hallucinating, str]:
    what = "captions that name something absent" if isinstance(check, CaptionCheck) else "yes where no is right"
    numbers = f"({what}: {_before_and_after(check)}, {probe.title})"
    if check.hallucinates_more:
        return "hallucinates more", f"Hallucinates more than before {numbers}."
    if too_little := _says_too_little(check, base):
        return "unclear", f"Whether it hallucinates more is unclear: {too_little} ({probe.title})."
    if check.change.high is None or check.change.high > HALLUCINATION_MARGIN:
        return "unclear", f"Whether it hallucinates more is unclear from so few answers {numbers}."
    return "hallucinates no more", f"Hallucinates no more than before {numbers}."


def _before_and_after(check: Check) -> str:
    """ "18 % to 80 %", of the base at equal length and of the model."""
    now = check.chair_s_matched if isinstance(check, CaptionCheck) else check.false_yes
    before = None if now is None or check.change.score is None else now - check.change.score
    return f"{percent(before)} to {percent(now)}"


def _says_too_little(check: Check, base: Check) -> str:
    """Who names nothing hallucinates nothing: what an answer lacks, in words, if it is most."""
    if isinstance(check, CaptionCheck) and isinstance(base, CaptionCheck):
        if check.recall is not None and base.recall is not None and check.recall < SILENT * base.recall:
            return f"it names {percent(check.recall)} of what is there, before it was {percent(base.recall)}"
    elif not isinstance(check, CaptionCheck) and check.undecided is not None and check.undecided > SILENT:
        return f"{percent(check.undecided)} of its answers are neither yes nor no"
    return ""
