"""What the template needs beside the report itself: rows, cards and plots, in the order in which they are shown."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from unsee.evaluation.criteria import FORGET_MARGIN, KEEP_MARGIN
from unsee.evaluation.results import Check, JudgedCheck, Score
from unsee.report.contents import ModelResult, ProbeInfo, Report
from unsee.report.plots.curves import curve, first_broken, value_range
from unsee.report.plots.scatter import Goal, Point, scatter
from unsee.report.verdict import Tone, Verdict, judged, name_of, verdict
from unsee.system.wording import short

# How each outcome is marked at a glance; the words stand beside it.
VERDICT_SIGNS: dict[str, tuple[str, Tone, str]] = {
    "like gold": ("✓", "good", "forgot like gold"),
    "slightly more than gold": ("▽", "warn", "forgot slightly more than gold"),
    "slightly less than gold": ("△", "warn", "knows slightly more than gold"),
    "more than gold": ("▼", "warn", "forgot more than gold"),
    "less than gold": ("▲", "bad", "still knows too much"),
    "little to forget": ("\N{EN DASH}", "plain", "there was little to forget"),
    "fell": ("↓", "plain", "answers less of it"),
    "hardly fell": ("▲", "bad", "hardly forgot"),
    "kept": ("✓", "good", "kept the rest"),
    "not shown": ("?", "warn", "not shown that it kept the rest"),
    "no longer answers": ("✗", "bad", "no longer answers"),
    "unmoved": ("▲", "bad", "did not move"),
    "answers alike": ("?", "warn", "answers everything alike"),
    "lost some": ("▼", "bad", "lost other knowledge"),
    "collapsed": ("✗", "bad", "destroyed other knowledge"),
    "invents more": ("▲", "bad", "invents more than before"),
    "invents no more": ("✓", "good", "invents no more than before"),
    "says less": ("↓", "plain", "says less of what was judged invented"),
    "says less of both": ("\N{EN DASH}", "plain", "says less of what was judged real and invented alike"),
    "says less by brevity": (
        "\N{EN DASH}",
        "plain",
        "says less of what was judged invented, at equal length no less",
    ),
    "says as much": ("▲", "bad", "still says what was judged invented"),
    "hardly names": ("✗", "bad", "hardly names what was judged real"),
    "unclear": ("\N{EN DASH}", "plain", "unclear whether it invents more"),
}


@dataclass(frozen=True)
class Standing:
    """One line of the result: a model, its two main scores, and what became of it."""

    name: str
    model: ModelResult
    colour: str
    forget: Score | None
    retain: Score | None
    verdict: Verdict | None


def colour_of(report: Report, name: str) -> str:
    """The style class of a model: its role, or a number in the order of the methods."""
    role = report.models[name].role
    return role if role != "method" else f"c{list(report.methods).index(name) % 8}"


def standings(report: Report) -> list[Standing]:
    """Base first, then gold, then the methods."""
    forget, retain = report.axes
    order = sorted(report.models, key=lambda name: ("base", "gold", "method").index(report.models[name].role))
    return [
        Standing(
            name,
            (model := report.models[name]),
            colour_of(report, name),
            counted(model, forget),
            counted(model, retain),
            verdict(report, name) if model.role == "method" else None,
        )
        for name in order
    ]


def pictures_of(probe: ProbeInfo) -> str:
    """How many of a probe's pictures the training rows show too."""
    if probe.pictures_trained_on == probe.pictures:
        return "all of its pictures were trained on"
    return f"{probe.pictures_trained_on:,} of {probe.pictures:,} pictures were trained on"


def counted(model: ModelResult, probe: ProbeInfo | None) -> Score | None:
    """The score of a model on a probe, as the rule counts it; see `unsee.evaluation.criteria`."""
    score = model.scores.get(probe.name) if probe else None
    return score.counted(probe.forget) if score and probe else None


@dataclass(frozen=True)
class Checked:
    """One line of what a probe says about inventions."""

    standing: Standing
    check: Check


def checks_of(report: Report, probe: str) -> list[Checked]:
    """What every model invents on one probe, in the order of the standings."""
    found = ((one, one.model.hallucination.get(probe)) for one in standings(report))
    return [Checked(one, check) for one, check in found if check is not None]


@dataclass(frozen=True)
class Judged:
    """One line of what captions still say of what was judged."""

    standing: Standing
    check: JudgedCheck


def judged_of(report: Report, probe: str) -> list[Judged]:
    """What every model still says on one probe, in the order of the standings."""
    found = ((one, one.model.judged.get(probe)) for one in standings(report))
    return [Judged(one, check) for one, check in found if check is not None]


def forget_retain_plots(report: Report) -> list[Markup]:
    """The same plot for a wide and for a narrow page; none if no model has both scores."""
    forget, retain = report.axes
    if forget is None or retain is None:
        return []
    points = [point for one in standings(report) if (point := _point(report, one))]
    if not points:
        return []
    return [
        scatter(
            points,
            x_label=name_of(forget),
            y_label=name_of(retain),
            ident=f"plot-{name}",
            size=size,
            goal=_goal(report, forget, retain),
            chance=_chance(report, forget),
        )
        for name, size in (("wide", (680, 430)), ("narrow", (340, 400)))
    ]


def _point(report: Report, one: Standing) -> Point | None:
    x, y = one.forget, one.retain
    if x is None or y is None or x.score is None or y.score is None:
        return None
    colour = list(report.models).index(one.name) if one.colour in ("base", "gold") else int(one.colour[1:])
    return Point(one.model.label, one.model.role, colour, x.score, y.score, _interval(x), _interval(y))


def _interval(score: Score) -> tuple[float, float] | None:
    return None if score.low is None or score.high is None else (score.low, score.high)


def _goal(report: Report, forget: ProbeInfo, retain: ProbeInfo) -> Goal | None:
    """The box of the verdict: forgot within the margin of gold, kept within the margin of base."""
    gold, base = report.of_role("gold"), report.of_role("base")
    target = counted(gold, forget) if gold else None
    kept = counted(base, retain) if base else None
    if not target or not kept or target.score is None or kept.score is None:
        return None
    return Goal(target.score - FORGET_MARGIN, target.score + FORGET_MARGIN, kept.score - KEEP_MARGIN)


def _chance(report: Report, probe: ProbeInfo) -> tuple[float, float] | None:
    if probe.chance is not None:
        return probe.chance, probe.chance
    return (min(report.chance.values()), max(report.chance.values())) if report.chance else None


def counts(report: Report, probe: ProbeInfo) -> str:
    """How many questions were scored, how many the knowledge gate left out, and how many it could not judge."""
    found = [model.scores[probe.name] for model in report.models.values() if probe.name in model.scores]
    scored = sorted({score.counted(probe.forget).n for score in found})
    said = " or ".join(f"{n:,}" for n in scored) or "\N{EN DASH}"
    if left_out := max((score.left_out for score in found), default=0):
        said += f", {left_out:,} not known before" if probe.forget is False else f", {left_out:,} left out"
    alone = max((score.alone for score in found), default=0)
    return f"{said}; {alone:,} of facts asked once" if alone and probe.forget is not False else said


def has_probabilities(report: Report) -> bool:
    """Whether any model's belief in the right answer was measured."""
    return any(
        score.mean_answer_probability is not None for model in report.models.values() for score in model.scores.values()
    )


@dataclass(frozen=True)
class Panel:
    """The training curves of one method."""

    label: str
    colour: str
    names: list[str]  # of the losses, in the page's order
    plot: Markup
    broken: bool  # some loss stopped being a number


def curve_panels(report: Report) -> list[Panel]:
    """One panel per method, all on one scale."""
    lines: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for method, points in report.curves.items():
        for point in sorted(points, key=lambda point: point.step):
            for name, value in point.values.items():
                lines.setdefault(method, {}).setdefault(name, []).append((point.step, value))
    names = list(dict.fromkeys(name for panel in lines.values() for name in panel))
    values = value_range(list(lines.values()))
    return [
        Panel(
            report.models[method].label,
            colour_of(report, method),
            names,
            curve(
                panel,
                title=f"Training losses of {short(report.models[method].label, 60)}",
                ident=f"curve-{i}",
                values=values,
                names=names,
            ),
            any(first_broken(line) is not None for line in panel.values()),
        )
        for i, (method, panel) in enumerate(lines.items())
    ]


def limits(report: Report) -> list[str]:
    """What the numbers do not show, as far as the report itself tells."""
    said = [
        "Each question was asked once and the likeliest answer taken. A model that answers wrongly here may still give "
        "a fact away when it is asked often, or in other words.",
        "Nobody tried to bring the knowledge back: by training a little more, by rounding the weights, or with prompts "
        "made to trick the model. Knowledge can be hidden rather than gone.",
        "The intervals cover the choice of subjects and questions. Another training run with another seed may land "
        "outside them.",
    ]
    if report.of_role("gold") is None and report.answered:
        said.insert(
            0, "No gold model was given, so nobody knows how much a model would still get right that never saw this."
        )
    if any(probe.held_out == 1 for forget in (True, False) for probe in judged(report, forget=forget)):
        said.insert(
            0,
            "Some scores were measured on photographs that the method trained on, under other questions. They say "
            "little about other photographs.",
        )
    if any(probe.trained_on for forget in (True, False) for probe in judged(report, forget=forget)):
        said.insert(
            0,
            "Some scores were measured on rows that the method trained on. They say little about other "
            "photographs or other wordings.",
        )
    if len(report.answered) < len(report.probes):
        said.insert(
            0,
            "What is real and what is invented was judged by a scorer that may be wrong, in what base had said: "
            "anything new, or under another name, was not judged.",
        )
    return [*said, *report.notes]
