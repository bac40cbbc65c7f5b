"""What the numbers say, in words: did a method forget as gold does, and did it keep the rest as base does?

Gold, the model retrained without what the request names, is a target from both sides: a method that answers less
often than gold has forgotten too much, which is a miss too. Everything here is a pure function of the report.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from unsee.report.contents import ModelResult, ProbeInfo, Report, Score
from unsee.report.inventing import Inventing, inventing
from unsee.report.judging import Judging, judging
from unsee.report.wording import listed, percent, short

FORGET_MARGIN = 0.10  # a forget score this close to gold's counts as like gold
KEEP_MARGIN = 0.05  # a fall of this much below base counts as kept
COLLAPSED = 0.5  # below this share of base's score, knowledge is destroyed rather than dented

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
]
Keeping = Literal["kept", "lost some", "collapsed", "not measured"]
Tone = Literal["good", "warn", "bad", "plain"]

_NEAR_GOLD = ("like gold", "slightly more than gold", "slightly less than gold")
_WORST_LAST = ("like gold", "slightly more than gold", "slightly less than gold", "more than gold", "less than gold")


@dataclass(frozen=True)
class Gap:
    """How far a score lies from its target."""

    score: float
    target: float
    size: Literal["none", "slight", "clear"]  # slight: within the margin, yet the two intervals do not meet
    sure: bool  # whether the intervals are narrow enough to say so

    @property
    def above(self) -> bool:
        return self.score > self.target


def gap(score: Score | None, target: Score | None, margin: float) -> Gap | None:
    """Compare a score with its target; None if either was not measured."""
    if score is None or target is None or score.score is None or target.score is None:
        return None
    low, high = score.low, score.high
    disjoint = far = False
    if low is not None and high is not None:
        far = max(high - target.score, target.score - low) > margin
        if target.low is not None and target.high is not None:
            disjoint = low > target.high or high < target.low
    if abs(score.score - target.score) > margin + 1e-9:
        return Gap(score.score, target.score, "clear", sure=disjoint)
    return Gap(score.score, target.score, "slight" if disjoint else "none", sure=not far)


@dataclass(frozen=True)
class Mark:
    """One cell of the table against its target: gold for what is to go, base for what is to stay."""

    sign: str
    tone: Tone
    words: str


def mark(report: Report, probe: ProbeInfo, model: ModelResult) -> Mark | None:
    """The mark of one method on one probe; None where there is nothing to compare with."""
    target = report.of_role("gold" if probe.forget else "base")
    if model.role != "method" or target is None:
        return None
    margin = FORGET_MARGIN if probe.forget else KEEP_MARGIN
    found = gap(model.scores.get(probe.name), target.scores.get(probe.name), margin)
    if found is None:
        return None
    name = target.role
    if found.size == "none":
        return Mark("≈", "good", f"like {name}")
    clear = found.size == "clear"
    words = f"{'' if clear else 'slightly '}{'above' if found.above else 'below'} {name}"
    if found.above:
        tone: Tone = "good" if not probe.forget else "bad" if clear else "warn"
        return Mark("▲" if clear else "△", tone, words)
    return Mark("▼" if clear else "▽", "bad" if clear and not probe.forget else "warn", words)


@dataclass(frozen=True)
class Verdict:
    """What became of one method."""

    model: str
    forgetting: Forgetting
    keeping: Keeping
    forgetting_sentence: str
    keeping_sentence: str
    inventing: Inventing = "not checked"
    inventing_sentence: str = ""
    judging: Judging = "not judged"
    judging_sentence: str = ""

    @property
    def success(self) -> bool:
        """Forgot within the margin of gold, and kept everything else within the margin of base.

        Whether it invents more is said beside it.
        """
        return self.forgetting in _NEAR_GOLD and self.keeping == "kept"

    @property
    def sentence(self) -> str:
        said = (self.judging_sentence, self.forgetting_sentence, self.keeping_sentence, self.inventing_sentence)
        return " ".join(filter(None, said))


def verdict(report: Report, model: str) -> Verdict:
    """Judge one method on the held-out probes (on training rows only if there are no others)."""
    forgetting, forgetting_sentence = _forgetting(report, report.models[model])
    keeping, keeping_sentence = _keeping(report, report.models[model])
    invented, of_labels = inventing(report, report.models[model]), judging(report, report.models[model])
    if of_labels[1] and forgetting == "not measured":
        forgetting_sentence = ""  # nothing was to be forgotten but what captions invent
    return Verdict(model, forgetting, keeping, forgetting_sentence, keeping_sentence, *invented, *of_labels)


def judged(report: Report, *, forget: bool) -> list[ProbeInfo]:
    """The probes that a verdict rests on: those held out, or, where there are none, those on training rows."""
    probes = [probe for probe in report.answered if probe.forget == forget]
    return [probe for probe in probes if not probe.trained_on] or probes


def _forgetting(report: Report, model: ModelResult) -> tuple[Forgetting, str]:
    gold, base = report.of_role("gold"), report.of_role("base")
    if gold is None:
        return _without_gold(report, model, base)
    found: list[tuple[Forgetting, str]] = []
    for probe in judged(report, forget=True):
        distance = gap(model.scores.get(probe.name), gold.scores.get(probe.name), FORGET_MARGIN)
        if distance is None:
            continue
        known = gap(base.scores.get(probe.name), gold.scores.get(probe.name), FORGET_MARGIN) if base else None
        if known and known.score - known.target <= FORGET_MARGIN + 1e-9:
            numbers = f"base {percent(known.score)}, gold {percent(known.target)} right"
            return "little to forget", f"There was little to forget: {numbers}, so forgetting cannot be judged."
        found.append(_against_gold(distance))
    return max(found, key=lambda one: _WORST_LAST.index(one[0]), default=("not measured", "Forgetting not measured."))


def _against_gold(found: Gap) -> tuple[Forgetting, str]:
    numbers = f"({percent(found.score)} right, gold {percent(found.target)})"
    unsure = "" if found.sure else " The interval is wide: more questions are needed to be sure."
    if found.size == "none":
        return "like gold", f"Forgot like gold {numbers}.{unsure}"
    slightly = "slightly " if found.size == "slight" else ""
    if found.above:
        state: Forgetting = "slightly less than gold" if slightly else "less than gold"
        return state, f"Still knows {slightly}more than gold {numbers}.{unsure}"
    state = "slightly more than gold" if slightly else "more than gold"
    miss = "" if slightly else ", which is a miss too"
    return state, f"Forgot {state.removesuffix(' gold')} gold {numbers}{miss}.{unsure}"


def _without_gold(report: Report, model: ModelResult, base: ModelResult | None) -> tuple[Forgetting, str]:
    falls = _falls(model, base, judged(report, forget=True))
    if not falls:
        return "not measured", "Forgetting not measured."
    probe, found = max(falls, key=lambda fall: fall[1].score)
    numbers = f"from {percent(found.target)} to {percent(found.score)}"
    if found.target - found.score > FORGET_MARGIN + 1e-9:
        return "fell", f"Right answers on {name_of(probe)} fell {numbers}."
    return "hardly fell", f"Hardly forgot: right answers on {name_of(probe)} went {numbers}."


def _keeping(report: Report, model: ModelResult) -> tuple[Keeping, str]:
    falls = _falls(model, report.of_role("base"), judged(report, forget=False))
    if not falls:
        return "not measured", "What else it knows was not measured."
    probe, found = max(falls, key=lambda fall: fall[1].target - fall[1].score)
    change = f"{percent(found.target)} to {percent(found.score)}, {name_of(probe)}"
    if found.score < COLLAPSED * found.target:
        return "collapsed", f"Destroyed other knowledge ({change})."
    if found.target - found.score > KEEP_MARGIN + 1e-9:
        return "lost some", f"Lost other knowledge ({change})."
    return "kept", f"Kept the rest (largest change: {change})."


def _falls(model: ModelResult, base: ModelResult | None, probes: Iterable[ProbeInfo]) -> list[tuple[ProbeInfo, Gap]]:
    """Each probe that both models were asked, with the gap between them."""
    found = ((p, gap(model.scores.get(p.name), base.scores.get(p.name), KEEP_MARGIN)) for p in probes if base)
    return [(probe, one) for probe, one in found if one is not None]


def headline(report: Report) -> str:
    """The whole result in one to three sentences."""
    verdicts = [verdict(report, name) for name in report.methods]
    if not verdicts:
        return "No unlearned model is on this page."
    if report.of_role("gold") is None:
        return " ".join(f"{label_of(report, v)}: {v.sentence}" for v in verdicts)
    if all(v.forgetting == "little to forget" for v in verdicts):
        return verdicts[0].forgetting_sentence
    winners = [v for v in verdicts if v.success]
    never = "never saw them" if report.kind == "person" and report.request == "visual" else "never learned it"
    if winners:
        things = {"visual": "the photographs", "textual": "the facts", "both": "the photographs and the facts"}
        thing = things.get(report.request or "", "what was to go") if report.kind == "person" else "what was to go"
        first = f"{_list(report, winners)} forgot {thing} about as well as a model that {never}, and kept the rest."
    else:
        first = f"No method both forgot like a model that {never} and kept the rest."
    inventive = [v for v in verdicts if v.inventing == "invents more"]
    but = [f"{_list(report, inventive)} invented more than base."] if inventive else []
    return " ".join([first, *_misses(report, [v for v in verdicts if not v.success]), *but])


def _misses(report: Report, verdicts: list[Verdict]) -> list[str]:
    """One sentence for each way of missing, with the methods that missed so."""
    ways = {
        "destroyed other knowledge.": [v for v in verdicts if v.keeping == "collapsed"],
        "lost other knowledge.": [v for v in verdicts if v.keeping == "lost some"],
        "still knew too much.": [v for v in verdicts if v.forgetting == "less than gold" and v.keeping == "kept"],
        "forgot more than gold.": [v for v in verdicts if v.forgetting == "more than gold" and v.keeping == "kept"],
    }
    return [f"{_list(report, missed)} {way}" for way, missed in ways.items() if missed]


def _list(report: Report, verdicts: list[Verdict]) -> str:
    return listed([label_of(report, v) for v in verdicts])


def label_of(report: Report, one: Verdict) -> str:
    label = report.models[one.model].label
    return short(label, 60)


def name_of(probe: ProbeInfo) -> str:
    """A probe in a few plain words."""
    return probe.title
