"""Does an unlearned model hallucinate more than its base? In words, from the checks of the report."""

from __future__ import annotations

from typing import Literal

from unsee.evaluation.results import CaptionCheck, Check
from unsee.report.contents import ModelResult, ProbeInfo, Report
from unsee.system.wording import percent

MARGIN = 0.10  # where the interval reaches further up than this, nothing is said about "no more"
SILENT = 0.5  # below this share of the base's recall, or with more answers undecided, a model says too little to judge

Hallucinating = Literal["hallucinates more", "hallucinates no more", "unclear", "not checked"]
_WORST_LAST = ("hallucinates no more", "unclear", "hallucinates more")


def hallucinating(report: Report, model: ModelResult) -> tuple[Hallucinating, str]:
    """Judge one method on every probe that can tell: the worst outcome, and a sentence with its numbers."""
    base = report.of_role("base")
    found = [
        _on_probe(probe, model.hallucination[probe.name], base.hallucination[probe.name])
        for probe in report.probes
        if base and probe.name in model.hallucination and probe.name in base.hallucination
    ]
    return max(found, key=lambda one: _WORST_LAST.index(one[0]), default=("not checked", ""))


def checked(report: Report) -> list[ProbeInfo]:
    """The probes that can tell, in order."""
    return [p for p in report.probes if any(p.name in model.hallucination for model in report.models.values())]


def _on_probe(probe: ProbeInfo, found: Check, base: Check) -> tuple[Hallucinating, str]:
    what = "captions that name something absent" if isinstance(found, CaptionCheck) else "yes where no is right"
    numbers = f"({what}: {_before_and_after(found)}, {probe.title})"
    if found.hallucinates_more:
        return "hallucinates more", f"Hallucinates more than before {numbers}."
    if too_little := _says_too_little(found, base):
        return "unclear", f"Whether it hallucinates more is unclear: {too_little} ({probe.title})."
    if found.change.high is None or found.change.high > MARGIN:
        return "unclear", f"Whether it hallucinates more is unclear from so few answers {numbers}."
    return "hallucinates no more", f"Hallucinates no more than before {numbers}."


def _before_and_after(found: Check) -> str:
    """ "18 % to 80 %", of the base at equal length and of the model."""
    now = found.chair_s_matched if isinstance(found, CaptionCheck) else found.false_yes
    before = None if now is None or found.change.score is None else now - found.change.score
    return f"{percent(before)} to {percent(now)}"


def _says_too_little(found: Check, base: Check) -> str:
    """Who names nothing hallucinates nothing: what an answer lacks, in words, if it is most."""
    if isinstance(found, CaptionCheck) and isinstance(base, CaptionCheck):
        if found.recall is not None and base.recall is not None and found.recall < SILENT * base.recall:
            return f"it names {percent(found.recall)} of what is there, before it was {percent(base.recall)}"
    elif not isinstance(found, CaptionCheck) and found.undecided is not None and found.undecided > SILENT:
        return f"{percent(found.undecided)} of its answers are neither yes nor no"
    return ""
