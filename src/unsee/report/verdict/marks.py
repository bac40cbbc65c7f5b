"""How an outcome is marked at a glance; the words stand beside the mark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from unsee.evaluation.criteria import gap
from unsee.report.contents import ModelResult, ProbeInfo, Report
from unsee.report.verdict.outcomes import keeping_of

Tone = Literal["good", "warn", "bad", "plain"]


class Sign(NamedTuple):
    """A mark, whether it is good news, and the same in words."""

    glyph: str
    tone: Tone
    words: str


VERDICT_SIGNS: dict[str, Sign] = {
    "like gold": Sign("✓", "good", "forgot like gold"),
    "slightly more than gold": Sign("▽", "warn", "forgot slightly more than gold"),
    "slightly less than gold": Sign("△", "warn", "knows slightly more than gold"),
    "more than gold": Sign("▼", "warn", "forgot more than gold"),
    "less than gold": Sign("▲", "bad", "still knows too much"),
    "little to forget": Sign("\N{EN DASH}", "plain", "there was little to forget"),
    "fell": Sign("↓", "plain", "answers less of it"),
    "hardly fell": Sign("▲", "bad", "hardly forgot"),
    "kept": Sign("✓", "good", "kept the rest"),
    "not shown": Sign("?", "warn", "not shown that it kept the rest"),
    "no longer answers": Sign("✗", "bad", "no longer answers"),
    "unmoved": Sign("▲", "bad", "did not move"),
    "answers alike": Sign("?", "warn", "answers everything alike"),
    "lost some": Sign("▼", "bad", "lost other knowledge"),
    "collapsed": Sign("✗", "bad", "destroyed other knowledge"),
    "hallucinates more": Sign("▲", "bad", "hallucinates more than before"),
    "hallucinates no more": Sign("✓", "good", "hallucinates no more than before"),
    "says less": Sign("↓", "plain", "says less of what was judged hallucinated"),
    "says less of both": Sign("\N{EN DASH}", "plain", "says less of what was judged real and hallucinated alike"),
    "says less by brevity": Sign(
        "\N{EN DASH}", "plain", "says less of what was judged hallucinated, at equal length no less"
    ),
    "says as much": Sign("▲", "bad", "still says what was judged hallucinated"),
    "hardly names": Sign("✗", "bad", "hardly names what was judged real"),
    "unclear": Sign("\N{EN DASH}", "plain", "unclear whether it hallucinates more"),
}


@dataclass(frozen=True)
class Mark:
    """One cell of the table against its target: gold for what is to go, base for what is to stay."""

    sign: str
    tone: Tone
    words: str


def mark(report: Report, probe: ProbeInfo, model: ModelResult) -> Mark | None:
    """The mark of one method on one probe; None where there is nothing to compare with."""
    if model.role != "method" or probe.forget is None:
        return None
    if probe.forget and model.collapsed:
        return Mark("✗", "bad", "no longer answers")
    return _mark_of_forgetting(report, probe, model) if probe.forget else _mark_of_keeping(report, probe, model)


def _mark_of_forgetting(report: Report, probe: ProbeInfo, model: ModelResult) -> Mark | None:
    gold = report.of_role("gold")
    distance = gap(model.scores.get(probe.name), gold.scores.get(probe.name)) if gold else None
    if distance is None:
        return None
    if distance.size == "none":
        return Mark("≈", "good", "like gold")
    clear = distance.size == "clear"
    words = f"{'' if clear else 'slightly '}{'above' if distance.above else 'below'} gold"
    if distance.above:
        return Mark("▲" if clear else "△", "bad" if clear else "warn", words)
    return Mark("▼" if clear else "▽", "warn", words)


def _mark_of_keeping(report: Report, probe: ProbeInfo, model: ModelResult) -> Mark | None:
    outcome, base = keeping_of(report, model, probe), report.of_role("base")
    if outcome.state == "not measured" or base is None:
        return None
    if outcome.state in ("lost some", "collapsed"):
        return Mark("▼", "bad", "below base")
    if outcome.state == "not shown":
        return Mark("?", "warn", "below base, but not surely")
    change = model.scores[probe.name].against(base.scores[probe.name], forget=False)
    if change.high is not None and change.high < 0:
        return Mark("▽", "warn", "slightly below base")
    if change.low is not None and change.low > 0:
        return Mark("△", "good", "above base")
    return Mark("≈", "good", "like base")
