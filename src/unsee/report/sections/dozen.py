"""A dozen answers to read first: of each kind of failure a few, and a sample that nobody chose."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from random import Random
from typing import NamedTuple

from unsee.report.contents import Answer, Report
from unsee.report.replies import Reply, aim_of, answer_tone, judged_by, key_of, kind_of_failure, replies
from unsee.report.section import Section
from unsee.report.standings import standings
from unsee.system.wording import counted

DOZEN = 12
FAILURES = 3  # of each kind
SEED = 0  # of what is drawn, whatever the run's
SAMPLE = "sample"  # the kind of group that is no failure
TITLES = {"still said": "Should have gone, and is still said", "lost": "Should have stayed, and is lost"}
WENT = {
    "still said": "Right answers that should have gone and are still given",
    "lost": "Right answers that should have stayed and are lost",
}
NONE = {
    "still said": "should have gone is still answered right",
    "lost": "should have stayed is now answered wrong",
}


class Count(NamedTuple):
    """Of one model, how many questions went wrong."""

    label: str
    wrong: int
    judged: int

    @property
    def share(self) -> str:
        """ "3 of 20"."""
        return f"{self.wrong:,} of {self.judged:,}"


@dataclass(frozen=True)
class Group:
    """Some answers of one kind."""

    kind: str  # "still said" or "lost", as `kind_of_failure` has it, or "sample"
    answers: list[Answer]
    total: int  # of this kind
    judged: int = 0  # questions that could have ended so
    of_models: tuple[Count, ...] = ()

    @property
    def alone(self) -> bool:
        """Whether there is one model to speak of."""
        return len(self.of_models) == 1

    @property
    def glyph(self) -> str:
        """The mark of a failure."""
        return "▲" if self.kind == "still said" else "▼"

    @property
    def went(self) -> str:
        """What went wrong, in words."""
        return WENT[self.kind]

    @property
    def note(self) -> str:
        """How many there are, and how those that are shown were chosen."""
        shown = f"{len(self.answers):,} of {self.total:,} shown"
        if self.kind == SAMPLE:
            if len(self.answers) == self.total:
                return f"All {counted(self.total, 'answer')}."
            return f"{shown}: drawn over people with seed {SEED}, whatever was answered."
        if not self.total:
            return f"None of {counted(self.judged, 'question')} whose answers {NONE[self.kind]}."
        return f"{shown}, drawn over people with seed {SEED}."


def dozen(report: Report) -> list[Group]:
    """What should have gone and is still said, what should have stayed and is lost, and a fair sample.

    Kinds of failure that no question could show are left out. The sample is drawn without a look at how its answers
    went; failures are drawn from those that are not in it, where these are enough.
    """
    counts = {"still said": _counts(report, forget=True), "lost": _counts(report, forget=False)}
    kinds = [kind_of_failure(report, answer) for answer in report.answers]
    wrong = {
        kind: [answer for answer, other in zip(report.answers, kinds, strict=True) if other == kind] for kind in counts
    }
    room = DOZEN - sum(min(FAILURES, len(answers)) for answers in wrong.values())
    fair = sample(report.answers, room)
    drawn = {id(answer) for answer in fair}
    groups = [
        Group(kind, sample(_others_first(wrong[kind], drawn), FAILURES), len(wrong[kind]), judged, of_models)
        for kind, (judged, of_models) in counts.items()
        if judged
    ]
    return [*groups, Group(SAMPLE, fair, len(report.answers))]


def sample(answers: Sequence[Answer], most: int, seed: int = SEED) -> list[Answer]:
    """At most so many answers, drawn over people: everybody once in a random order, then everybody again.

    Args:
        answers: of whom or what; each that names no subject counts as one of its own.
        most: how many.
        seed: the same answers and seed give the same sample.
    """
    draw = Random(seed)
    people: dict[object, list[Answer]] = {}
    for index, answer in enumerate(answers):
        people.setdefault(index if answer.subject is None else answer.subject, []).append(answer)
    rows = list(people.values())
    draw.shuffle(rows)
    for row in rows:
        draw.shuffle(row)
    turns = chain.from_iterable(zip_longest(*rows))
    return [answer for answer in turns if answer is not None][:most]


def _others_first(answers: Sequence[Answer], drawn: Collection[int]) -> Sequence[Answer]:
    """Those that are not in the sample already, unless that leaves too few."""
    others = [answer for answer in answers if id(answer) not in drawn]
    return others if len(others) >= FAILURES else answers


def _counts(report: Report, *, forget: bool) -> tuple[int, tuple[Count, ...]]:
    """How many questions are judged by what was to go or to stay, and of each method how many went wrong.

    Gold goes first where something was to go: what it gets right without having learned it is no failure of others.
    """
    counts, judged = [], dict[int, Answer]()
    for name, model in report.methods.items():
        asked = [answer for answer in report.answers if judged_by(report, answer, name) is forget]
        judged |= {id(answer): answer for answer in asked}
        wrong = sum(answer_tone(report, answer, name) == "bad" for answer in asked)
        counts.append(Count(model.label, wrong, len(asked)))
    gold = next((name for name, model in report.models.items() if model.role == "gold"), None)
    if forget and gold is not None:
        guessed = [answer.correct[gold] for answer in judged.values() if gold in answer.correct]
        counts.insert(0, Count(report.models[gold].label, sum(guessed), len(guessed)))
    return len(judged), tuple(counts)


@dataclass(frozen=True)
class Example:
    """A question with what every model said."""

    photo: str | None
    subject: str | None
    aim: str
    question: str
    key: str
    expected: str
    replies: list[Reply]


@dataclass(frozen=True)
class Shown:
    """A group as the page shows it."""

    title: str
    note: str
    of_models: tuple[Count, ...]
    examples: list[Example]


@dataclass(frozen=True)
class Dozen:
    """What the section shows."""

    groups: list[Shown]

    @property
    def judged(self) -> bool:
        """Whether any answer could have gone wrong."""
        return len(self.groups) > 1


def prepare(report: Report) -> Dozen | None:
    """A few answers of a report that has any."""
    if not report.answers:
        return None
    groups = dozen(report)
    return Dozen(
        [
            Shown(
                TITLES.get(group.kind, "A fair sample" if len(groups) > 1 else ""),
                group.note,
                group.of_models if group.total else (),
                _examples(report, group),
            )
            for group in groups
        ]
    )


def _examples(report: Report, group: Group) -> list[Example]:
    probes, lines = {probe.name: probe for probe in report.probes}, standings(report)
    return [
        Example(
            answer.photo,
            answer.subject,
            f"{aim_of(probes[answer.probe])}{'' if answer.photo else ', in words alone'}",
            answer.question,
            key_of(probes[answer.probe]),
            answer.expected,
            replies(report, answer, lines),
        )
        for answer in group.answers
    ]


def _title(shown: Dozen) -> str:
    return "What went wrong, and a fair sample" if shown.judged else "A fair sample of the answers"


SECTION = Section("dozen", _title, "dozen", prepare, style="dozen", place=20)
