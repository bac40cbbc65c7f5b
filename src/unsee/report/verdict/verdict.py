"""What became of one method, in words: did it forget as gold does, and did it keep the rest as base does?

Gold, the model retrained without what the request names, is a target from both sides: a method that answers less
often than gold has forgotten too much, which is a miss too. Everything here is a pure function of the report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unsee.report.contents import ModelResult, ProbeInfo, Report
from unsee.report.verdict.hallucinating import Hallucinating, hallucinating
from unsee.report.verdict.judging import Judging, judging
from unsee.report.verdict.outcomes import (
    FORGETTING_WORST_LAST,
    KEEPING_WORST_LAST,
    NEAR_GOLD,
    WIDE,
    Forgetting,
    Keeping,
    Outcome,
    forgetting_of,
    keeping_of,
)
from unsee.system.wording import listed

_KEEPING_WORDS = {
    "collapsed": "Destroyed other knowledge",
    "lost some": "Lost other knowledge",
    "not shown": "Whether it kept the rest is not shown",
}
_SAID_BESIDE = {0: "on rows that were trained on", 1: "on pictures that were trained on"}  # by `ProbeInfo.held_out`


@dataclass(frozen=True)
class Verdict:
    """What became of one method."""

    model: str
    forgetting: Forgetting
    keeping: Keeping
    forgetting_sentence: str
    keeping_sentence: str
    hallucinating: Hallucinating = "not checked"
    hallucinating_sentence: str = ""
    judging: Judging = "not judged"
    judging_sentence: str = ""
    condition: str = ""  # what makes the scores say nothing about forgetting; as `Condition.kind` has it
    condition_sentence: str = ""
    after_sentence: str = ""  # what came back of what an earlier request removed
    unknown_sentence: str = ""  # what was measured without anybody saying what it is for
    sure: bool = True  # whether the intervals are narrow enough for what is said about forgetting and keeping

    @property
    def success(self) -> bool:
        """Forgot within the margin of gold, and kept everything else within the margin of base.

        Whether it hallucinates more is said beside it.
        """
        return self.forgetting in NEAR_GOLD and self.keeping == "kept" and not self.condition

    @property
    def sentence(self) -> str:
        sentences = (
            *(self.condition_sentence, self.judging_sentence, self.forgetting_sentence, self.keeping_sentence),
            *(self.after_sentence, self.hallucinating_sentence, self.unknown_sentence),
        )
        return " ".join(filter(None, sentences))


def verdict(report: Report, model: str) -> Verdict:
    """Judge one method: every probe for itself, then all of them together.

    Probes that are held out with pictures of their own speak first; where there are none, those whose pictures were
    trained on, then those whose rows were. What failed on the others is said beside.
    """
    result = report.models[model]
    forgetting, forgetting_sentence, sure_to_go = _forgetting(report, result)
    keeping, keeping_sentence, sure_to_stay = _keeping(report, result)
    hallucinated, of_labels = hallucinating(report, result), judging(report, result)
    if of_labels[1] and forgetting == "not measured":
        forgetting_sentence = ""  # nothing was to be forgotten but what captions hallucinate
    if result.collapsed:
        forgetting, forgetting_sentence = "no longer answers", ""
    return Verdict(
        model,
        forgetting,
        keeping,
        forgetting_sentence,
        keeping_sentence,
        *hallucinated,
        *of_labels,
        condition=result.condition.kind if result.condition else "",
        condition_sentence=result.condition.sentence if result.condition else "",
        after_sentence=again(report, result),
        unknown_sentence=unknown(report),
        sure=sure_to_go and sure_to_stay,
    )


def judged(report: Report, *, forget: bool) -> list[ProbeInfo]:
    """The probes that a verdict rests on: of those for forgetting, or for keeping, the ones that are held out best."""
    probes = [probe for probe in report.answered if probe.forget is forget and not probe.after]
    best = max((probe.held_out for probe in probes), default=0)
    return [probe for probe in probes if probe.held_out == best]


def again(report: Report, model: ModelResult) -> str:
    """A sentence on what came back of what an earlier request removed; empty where nothing did."""
    back = [
        f"{model.after[probe.name].again:,} of {model.after[probe.name].removed:,} ({probe.title})"
        for probe in report.answered
        if probe.name in model.after and model.after[probe.name].again
    ]
    return f"Of the answers that an earlier request removed, some came back: {listed(back)}." if back else ""


def unknown(report: Report) -> str:
    """A sentence on the probes of which nobody said, and nothing shows, what they are for; empty without any."""
    names = [probe.title for probe in report.answered if probe.forget is None]
    if not names:
        return ""
    alone = len(names) == 1
    return (
        f"What {listed(names)} {'is' if alone else 'are'} for is not known, so {'it is' if alone else 'they are'} not "
        "judged: give --forget-probe or --keep-probe instead of --probe."
    )


def _forgetting(report: Report, model: ModelResult) -> tuple[Forgetting, str, bool]:
    """The worst of all probes; a sentence on each that failed, or on the worst; whether that is sure."""
    probes = judged(report, forget=True)
    outcomes = [forgetting_of(report, model, probe, named=len(probes) > 1) for probe in probes]
    outcomes = _worst_first(outcomes, FORGETTING_WORST_LAST)
    if not outcomes or all(outcome.state == "not measured" for outcome in outcomes):
        return "not measured", "Forgetting not measured.", True
    reported = [outcome for outcome in outcomes if outcome.failed] or outcomes[:1]
    if reported[0].state != "little to forget":
        reported += [outcome for outcome in outcomes if outcome.state == "little to forget"]
    beside = _beside(report, model, forget=True)
    return outcomes[0].state, " ".join([*(outcome.sentence for outcome in reported), *beside]), reported[0].sure  # type: ignore[return-value]


def _keeping(report: Report, model: ModelResult) -> tuple[Keeping, str, bool]:
    """The worst of all probes; a sentence with the numbers of each that failed; whether that is sure."""
    outcomes = [keeping_of(report, model, probe) for probe in judged(report, forget=False)]
    outcomes = _worst_first(outcomes, KEEPING_WORST_LAST)
    beside = _beside(report, model, forget=False)
    if not outcomes or all(outcome.state == "not measured" for outcome in outcomes):
        return "not measured", " ".join(["What else it knows was not measured.", *beside]), True
    failed, state = [outcome for outcome in outcomes if outcome.failed], outcomes[0].state
    if state in _KEEPING_WORDS:
        sentence, sure = f"{_KEEPING_WORDS[state]} ({'; '.join(outcome.numbers for outcome in failed)}).", True
    else:
        worst = max((outcome for outcome in outcomes if outcome.state == "kept"), key=lambda outcome: outcome.fall)
        sure = all(outcome.sure for outcome in outcomes)
        sentence = f"Kept the rest (largest change: {'; '.join(outcome.numbers for outcome in [worst, *failed])})."
        sentence += "" if sure else WIDE
    return state, " ".join([sentence, *beside]), sure  # type: ignore[return-value]


def _worst_first(outcomes: Sequence[Outcome], worst_last: Sequence[str]) -> list[Outcome]:
    return sorted(
        outcomes, key=lambda outcome: (worst_last.index(outcome.state), outcome.fall, not outcome.sure), reverse=True
    )


def _beside(report: Report, model: ModelResult, *, forget: bool) -> list[str]:
    """Sentences on what failed on probes that are held out less well than those that were judged."""
    chosen = {probe.name for probe in judged(report, forget=forget)}
    sentences = []
    for probe in report.answered:
        if probe.forget is forget and not probe.after and probe.name not in chosen:
            outcome = forgetting_of(report, model, probe, named=True) if forget else keeping_of(report, model, probe)
            if outcome.failed and outcome.state != "not measured":
                sentences.append(f"Not counted, {_SAID_BESIDE[probe.held_out]}: {_lower(outcome, forget)}.")
    return sentences


def _lower(outcome: Outcome, forget: bool) -> str:
    """A sentence of an outcome within another."""
    if not forget:
        return f"{_KEEPING_WORDS[outcome.state].lower()} ({outcome.numbers})"
    return (
        outcome.sentence.removesuffix(WIDE)
        .removesuffix(".")
        .replace(outcome.sentence[0], outcome.sentence[0].lower(), 1)
    )
