"""What became of one model on one probe, in a state and a sentence. A verdict combines these; it never skips one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from unsee.evaluation.criteria import FORGET_MARGIN, KEEP_MARGIN, Gap, gap, keeping
from unsee.evaluation.results import Score
from unsee.report.contents import ModelResult, ProbeInfo, Report
from unsee.system.wording import percent, points

Forgetting = Literal[
    "like gold",
    "slightly more than gold",
    "slightly less than gold",
    "more than gold",
    "less than gold",
    "little to forget",
    "fell",  # no gold to compare with: how far, not whether far enough
    "hardly fell",
    "not measured",
    "no longer answers",  # of anything: no forgetting
]
Keeping = Literal["kept", "not shown", "lost some", "collapsed", "not measured"]

NEAR_GOLD = ("like gold", "slightly more than gold", "slightly less than gold")
# Of several probes the last in this order decides; what cannot be judged never hides what can.
FORGETTING_WORST_LAST: tuple[Forgetting, ...] = (
    "little to forget",
    *("like gold", "slightly more than gold", "slightly less than gold", "fell"),
    *("not measured", "hardly fell", "more than gold", "less than gold"),
)
KEEPING_WORST_LAST: tuple[Keeping, ...] = ("kept", "not measured", "not shown", "lost some", "collapsed")
FAILED = ("hardly fell", "more than gold", "less than gold", "not shown", "lost some", "collapsed", "not measured")

WIDE = " The interval is wide: more questions are needed to be sure."


@dataclass(frozen=True)
class Outcome:
    """What became of one probe."""

    probe: ProbeInfo
    state: str  # of `Forgetting` or `Keeping`
    sentence: str  # standing alone
    numbers: str = ""  # "98 % to 12 %, scenes": for a sentence about several probes
    fall: float = 0.0
    sure: bool = True  # whether the intervals are narrow enough

    @property
    def failed(self) -> bool:
        """Whether the probe speaks against a success."""
        return self.state in FAILED


def forgetting_of(report: Report, model: ModelResult, probe: ProbeInfo, *, named: bool) -> Outcome:
    """What became of a probe that is to go.

    Args:
        report: with base and, if there is one, gold.
        model: the method's.
        probe: which.
        named: whether the sentence has to say which.
    """
    base, gold = report.of_role("base"), report.of_role("gold")
    after = model.scores.get(probe.name)
    before = base.scores.get(probe.name) if base else None
    target = gold.scores.get(probe.name) if gold else None
    on = f", {probe.title}" if named else ""
    if before is not None and before.score is None and before.left_out:
        return Outcome(probe, "little to forget", f"There was little to forget: base knew none of it{on}.")
    distance = gap(after, target)
    if distance is not None:
        return _against_gold(probe, distance, before, on)
    if gold is None and after and before and after.score is not None and before.score is not None:
        return _without_gold(probe, after, before)
    return Outcome(probe, "not measured", f"Forgetting not measured{f' on {probe.title}' if named else ''}.")


def _against_gold(probe: ProbeInfo, distance: Gap, before: Score | None, on: str) -> Outcome:
    known = before.score if before is not None else None
    little = known is not None and known - distance.target <= FORGET_MARGIN + 1e-9
    if little and not (distance.size == "clear" and distance.above):
        numbers = f"base {percent(known)}, gold {percent(distance.target)} right{on}"
        text = f"There was little to forget: {numbers}, so forgetting cannot be judged."
        return Outcome(probe, "little to forget", text, numbers)
    numbers = f"({percent(distance.score)} right, gold {percent(distance.target)}{on})"
    state, sentence = _states(distance, numbers)
    return Outcome(probe, state, sentence + ("" if distance.sure else WIDE), numbers, sure=distance.sure)


def _states(distance: Gap, numbers: str) -> tuple[Forgetting, str]:
    if distance.size == "none":
        return "like gold", f"Forgot like gold {numbers}."
    slight = distance.size == "slight"
    slightly = "slightly " if slight else ""
    if distance.above:
        state: Forgetting = "slightly less than gold" if slight else "less than gold"
        return state, f"Still knows {slightly}more than gold {numbers}."
    state = "slightly more than gold" if slight else "more than gold"
    return state, f"Forgot {slightly}more than gold {numbers}{'' if slight else ', which is a miss too'}."


def _without_gold(probe: ProbeInfo, after: Score, before: Score) -> Outcome:
    numbers = f"from {percent(before.score)} to {percent(after.score)}"
    change = after.against(before, forget=True)
    fall = -(change.score or 0.0)
    if before.score is not None and before.score <= FORGET_MARGIN:
        sentence = f"There was little to forget: base had {percent(before.score)} of {probe.title} right."
        return Outcome(probe, "little to forget", sentence, numbers)
    if fall > FORGET_MARGIN + 1e-9:
        sure = change.high is None or change.high < 0
        sentence = f"Right answers on {probe.title} fell {numbers}.{'' if sure else WIDE}"
        return Outcome(probe, "fell", sentence, numbers, fall, sure)
    return Outcome(probe, "hardly fell", f"Hardly forgot: right answers on {probe.title} went {numbers}.", fall=fall)


def keeping_of(report: Report, model: ModelResult, probe: ProbeInfo) -> Outcome:
    """What became of a probe that is to stay, against the base on the same rows."""
    base = report.of_role("base")
    after, before = model.scores.get(probe.name), base.scores.get(probe.name) if base else None
    now, then = (score.counted(forget=False).score if score else None for score in (after, before))
    if after is None or before is None or now is None or then is None:
        return Outcome(probe, "not measured", f"Not measured: {probe.title}.", f"not measured, {probe.title}")
    change = after.against(before, forget=False)
    state = keeping(now, then, change.high)
    numbers = f"{percent(then)} to {percent(now)}, {probe.title}"
    if state == "not shown" and change.low is not None and change.high is not None:
        numbers += f", a change of {points(change.low)} to {points(change.high)} points"
    sure = change.low is not None and change.low >= -KEEP_MARGIN - 1e-9
    return Outcome(probe, state, f"({numbers})", numbers, then - now, sure)
