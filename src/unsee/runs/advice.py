"""What to try next, from what a run has shown: pure functions of its scores and its settings.

Two ways to miss have remedies that figures tell. Where hardly anything was forgotten, the weights went too short a way:
a larger rate, more steps, more parts. Where what should stay was lost, they went too far, or the objective has no
floor: a smaller rate, a ceiling, a guard, a bounded method.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from unsee.evaluation.criteria import FORGET_MARGIN, keeping
from unsee.evaluation.results import Condition
from unsee.evaluation.run_scores import RunScores
from unsee.mining.advice import of_spans
from unsee.runs.settings import LEAST_STEPS, LORA_RATE, WHOLE_RATE, Settings
from unsee.types import PARTS

FASTER = 10.0  # the highest rate that is proposed, over the default
SLOWER = 3.0  # by how much a rate is divided that went too far
MOST_STEPS = 200  # up to which more steps are proposed at once
PARTLY = 0.25  # of what was right before; what is left beyond that may be worth a few more steps
UNBOUNDED = ("grad_ascent", "grad_diff", "kl", "llmu", "mmunlearner")  # ascent, unless they have a ceiling
NARROW = 0.1  # a mask that lets through a smaller share of the weights may well be why nothing moved


@dataclass(frozen=True)
class Probed:
    """What became of one probe: shares of right answers and the mean probability of the expected one."""

    name: str
    before: float
    after: float
    likely_before: float | None
    likely_after: float | None
    high: float | None  # upper bound of the change

    @property
    def numbers(self) -> str:
        """As in "forget: 100 % to 98 % right, mean probability of the answers 0.981 to 0.954"."""
        shares = f"{self.name}: {100 * self.before:.0f} % to {100 * self.after:.0f} % right"
        if self.likely_before is None or self.likely_after is None or math.isnan(self.likely_after):
            return shares
        return f"{shares}, mean probability of the answers {self.likely_before:.3f} to {self.likely_after:.3f}"


def advise(scores: RunScores, settings: Settings) -> list[str]:
    """Sentences on what to change, with the figures that speak for it; none where a run went well.

    Args:
        scores: of the run; their advice is not looked at.
        settings: of the run.
    """
    unfit = [scores.fitness.sentence] if scores.fitness and scores.fitness.sentence else []
    if not settings.card.needs.forget:
        return unfit  # a control
    if scores.rate is not None:
        found = settings.model_copy(update={"learning_rate": scores.rate.rate, "find_rate": False})
        own = advise(scores.model_copy(update={"rate": None}), found)
        rate = "--set learning_rate="
        return [sentence.replace(rate, f"--set find_rate=false {rate}") for sentence in own]
    held, partly, lost = *_kept_on(scores, settings), _lost(scores, settings)
    gone = bool(lost or scores.condition.get(settings.card.name))
    if gone and held and _unmoved(scores, settings) is None:
        return [*unfit, _both(held, lost, settings)]
    advice = [_slower(scores, lost, settings)] if lost else []
    advice += [_farther(scores, held, settings)] if held else []
    advice += [_somewhat_farther(scores, partly, settings)] if partly and not (held or gone) else []
    return [*unfit, *advice, *of_spans(scores.spans, scores.steps, settings.learning_rate)]


def _probed(scores: RunScores, settings: Settings, role: str) -> Iterator[Probed]:
    """What became of the probes with a role, as the rule counts them; see `unsee.evaluation.criteria`."""
    base, judged = scores.models["base"], scores.judged.get("base", {})
    for name, now in scores.models[settings.card.name].items():
        if scores.roles.get(name) != role or name in judged:
            continue
        before = base[name]
        shares = (before.score, now.score) if role == "forget" else (before.ungated, now.ungated)
        high = now.known_change_high if role == "forget" else now.change_high
        likely = (before.mean_answer_probability, now.mean_answer_probability)
        if shares[0] is not None and shares[1] is not None:
            yield Probed(name, shares[0], shares[1], *likely, high)


def _kept_on(scores: RunScores, settings: Settings) -> tuple[list[Probed], list[Probed]]:
    """What was to go, was known and hardly fell; and what fell, but not far."""
    known = [probe for probe in _probed(scores, settings, "forget") if probe.before > FORGET_MARGIN]
    held = [probe for probe in known if probe.before - probe.after <= FORGET_MARGIN]
    return held, [probe for probe in known if probe not in held and probe.after > PARTLY * probe.before]


def _lost(scores: RunScores, settings: Settings) -> list[Probed]:
    """What was to stay and is lost, the worst first."""
    probes = _probed(scores, settings, "keep")
    lost = [probe for probe in probes if keeping(probe.after, probe.before, probe.high) in ("lost some", "collapsed")]
    return sorted(lost, key=lambda probe: probe.after - probe.before)


def _unmoved(scores: RunScores, settings: Settings) -> Condition | None:
    condition = scores.condition.get(settings.card.name)
    return condition if condition is not None and condition.kind == "unmoved" else None


def _farther(scores: RunScores, held: Sequence[Probed], settings: Settings) -> str:
    """For a model that hardly moved."""
    probes = "; ".join(probe.numbers for probe in held)
    if stopped := scores.stopped:
        return (
            f"Hardly forgot ({probes}): the guard stopped at step {stopped['step']}, before that. Try a smaller step, "
            f"{_set('learning_rate', settings.learning_rate / SLOWER)}, or a method whose pull fades, such as npo."
        )
    steps = scores.steps
    ways = [*_more_rate(settings), *_more_steps(steps), *_more_parts(settings), *_wider_mask(scores, settings)]
    return (
        f"Hardly forgot ({probes}) in {_travelled(scores, settings)}. Try {_in_turn(ways)}. `unsee tune`, with the "
        "same flags, searches for rate and steps."
    )


def _somewhat_farther(scores: RunScores, partly: Sequence[Probed], settings: Settings) -> str:
    """For a model that is on its way."""
    probes = "; ".join(probe.numbers for probe in partly)
    return (
        f"A part is still there ({probes}) after {_travelled(scores, settings)}. If a model that never knew it would "
        f"do worse, try --set max_steps={math.ceil(1.5 * scores.steps)}."
    )


def _travelled(scores: RunScores, settings: Settings) -> str:
    """How many steps at which rate, how far the weights went and the forget loss with them."""
    steps = scores.steps
    summary = f"{steps} steps at learning_rate {_number(settings.learning_rate)}"
    if scores.moved and (length := scores.moved["length"]) is not None:
        summary += f", which moved the weights by {100 * length:.2g} % of their size"
    losses = [loss for point in scores.curve if (loss := point.get("forget")) is not None]
    if len(losses) > 1:
        a_step = (losses[-1] - losses[0]) / (len(losses) - 1)
        summary += f" and the forget loss from {losses[0]:.4g} to {losses[-1]:.4g} ({a_step:+.1g} a step)"
    return summary


def _more_rate(settings: Settings) -> list[str]:
    highest = FASTER * (LORA_RATE if settings.lora else WHOLE_RATE)
    rate = min(10 * settings.learning_rate, highest)
    return [_set("learning_rate", rate)] if rate > 1.5 * settings.learning_rate else []


def _more_steps(steps: int) -> list[str]:
    wanted = max(LEAST_STEPS, min(4 * steps, MOST_STEPS), 2 * steps)
    return [f"--set max_steps={wanted}"]


def _more_parts(settings: Settings) -> list[str]:
    if settings.card.needs.spans or set(settings.parts) == set(PARTS):
        return []
    return [f"--parts {','.join(PARTS)} (now {', '.join(settings.parts)} alone)"]


def _wider_mask(scores: RunScores, settings: Settings) -> list[str]:
    """Where a saliency mask lets hardly anything through."""
    shares = [part["passing"] for part in scores.saliency.values() if part["passing"] is not None]
    if not shares or max(shares) >= NARROW:
        return []
    gamma = "gate.gamma" if settings.gate else "gamma"
    return [f"--set {gamma}=0.5 (the mask lets at most {100 * max(shares):.1g} % of a part's weights move)"]


def _slower(scores: RunScores, lost: Sequence[Probed], settings: Settings) -> str:
    """For a model that went too far."""
    probes = "; ".join(probe.numbers for probe in lost)
    steps = scores.steps
    ways = [_set("learning_rate", settings.learning_rate / SLOWER)]
    if steps > 1:
        ways.append(f"--set max_steps={max(1, steps // 2)}")
    ways += _bounds(settings)
    return f"What should stay was lost ({probes}) in {_travelled(scores, settings)}. Try {_in_turn(ways)}."


def _bounds(settings: Settings) -> list[str]:
    """What would give the objective a floor that it has not."""
    bounds = []
    if settings.hyper_parameters.get("ceiling") == 0:
        bounds.append("--set ceiling=1, which lets go of an answer that is unlikely enough")
    if settings.guard is None and settings.retain:
        bounds.append("--set guard=1, which stops in time")
    if settings.card.name in UNBOUNDED and not settings.hyper_parameters.get("ceiling"):
        bounds.append(f"--method npo, whose pull fades where that of {settings.card.name} grows")
    return bounds


def _both(held: Sequence[Probed], lost: Sequence[Probed], settings: Settings) -> str:
    """For a model that lost the one and not the other: neither a larger nor a smaller step helps."""
    kept_on, fell = ("; ".join(probe.numbers for probe in some) for some in (held, lost))
    fell = f" ({fell})" if fell else ""
    ways = ["other --parts", "retain rows that are more like the forget rows", "--set gate=saliency"]
    ways += [f"--method {'gated_npo' if settings.card.name == 'npo' else 'npo'}"]
    return (
        f"What should stay fell before what should go did{fell}, which hardly fell ({kept_on}): a larger or a smaller "
        f"learning_rate alone will not mend that. Try {_in_turn(ways)}."
    )


def _set(key: str, value: float) -> str:
    return f"--set {key}={_number(value)}"


def _number(value: float) -> str:
    """A rate with one or two digits, as people write it: 1e-4, 3e-6."""
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def _in_turn(ways: Sequence[str]) -> str:
    """A, then B, then C."""
    return "; then ".join(ways)
