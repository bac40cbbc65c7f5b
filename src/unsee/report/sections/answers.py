"""The answers, arranged for reading: by person and photograph, and which of them went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from unsee.report.contents import Answer, ProbeInfo, Report, Subject
from unsee.report.replies import Failure, Reply, aim_of, key_of, kind_of_failure, replies
from unsee.report.section import Section
from unsee.report.standings import Standing, standings
from unsee.system.wording import counted

MOST_PER_PROBE = 60  # answers on the page; a run may have thousands, and they are all in its records
OPEN_PEOPLE, OPEN_CARDS = 6, 2  # the others are folded away


@dataclass
class Card:
    """The questions of one probe about one photograph, or those asked in words alone."""

    photo: str | None
    probe: ProbeInfo
    answers: list[Answer] = field(default_factory=list)


@dataclass
class Person:
    """Everything that was asked about one subject."""

    name: str | None
    subject: Subject | None  # None: not one that the request names
    cards: list[Card] = field(default_factory=list)

    @property
    def forget(self) -> bool | None:
        """Whether the request is about this subject; None where nobody said what its questions are for."""
        if self.subject is not None or any(card.probe.forget for card in self.cards):
            return True
        return False if any(card.probe.forget is False for card in self.cards) else None

    @property
    def badge(self) -> str:
        """What the request wants of this subject; empty where nobody said, or where it is about captions alone."""
        if self.forget is None or (self.subject is None and all(card.probe.judged for card in self.cards)):
            return ""
        return "to be forgotten" if self.forget else "to stay"


def people(report: Report, kept: Sequence[Answer]) -> list[Person]:
    """The answers that are kept by subject and photograph; those whom the request is about come first."""
    probes = {probe.name: probe for probe in report.probes}
    everybody: dict[str | None, Person] = {subject.name: Person(subject.name, subject) for subject in report.subjects}
    for answer in kept:
        person = everybody.setdefault(answer.subject, Person(answer.subject, None))
        same = (card for card in person.cards if (card.photo, card.probe.name) == (answer.photo, answer.probe))
        card = next(same, None)
        if card is None:
            person.cards.append(card := Card(answer.photo, probes[answer.probe]))
        card.answers.append(answer)
    return sorted((person for person in everybody.values() if person.cards), key=lambda person: not person.forget)


def shown(report: Report) -> list[Answer]:
    """At most `MOST_PER_PROBE` answers of each probe, taken in turn from its subjects: those that went wrong, then
    others. At least half of the room is for the others."""
    rank: Counter[tuple[str, str | None, bool]] = Counter()
    turns: dict[str, dict[bool, list[tuple[int, int]]]] = {}
    for i, answer in enumerate(report.answers):
        wrong = bool(kind_of_failure(report, answer))
        place = answer.probe, answer.subject, wrong
        turns.setdefault(answer.probe, {True: [], False: []})[wrong].append((rank[place], i))
        rank[place] += 1
    kept: list[int] = []
    for probe in turns.values():
        wrong_ones, others = sorted(probe[True]), sorted(probe[False])
        half = MOST_PER_PROBE // 2
        chosen = [*wrong_ones[:half], *others[:half], *wrong_ones[half:], *others[half:]][:MOST_PER_PROBE]
        kept += [i for _, i in chosen]
    return [report.answers[i] for i in sorted(kept)]


def left_out(report: Report, kept: Sequence[Answer]) -> tuple[int, int]:
    """How many answers the page does not show beside those that are kept, and how many of these went wrong."""
    shown_ids = {id(answer) for answer in kept}
    others = [answer for answer in report.answers if id(answer) not in shown_ids]
    return len(others), sum(bool(kind_of_failure(report, answer)) for answer in others)


@dataclass(frozen=True)
class Question:
    """A question with what every model said."""

    text: str
    key: str
    expected: str
    probe: int  # its number, for the filter
    failure: Failure
    replies: list[Reply]


@dataclass(frozen=True)
class ShownCard:
    """A card as the page shows it."""

    photo: str | None
    probe: str
    aim: str
    questions: list[Question]


@dataclass(frozen=True)
class ShownPerson:
    """A subject as the page shows it."""

    name: str | None
    badge: str
    forget: bool | None
    facts: dict[str, str]
    cards: list[ShownCard]
    folded: list[ShownCard]


@dataclass(frozen=True)
class Answers:
    """What the section shows."""

    answered: bool  # whether anything was right or wrong
    left_out: str  # how many answers are not shown; empty for none
    left_out_wrong: str  # how many of these went wrong; empty for none
    probes: list[str]
    methods: list[str]
    people: list[ShownPerson]
    folded: list[ShownPerson]


def prepare(report: Report) -> Answers | None:
    """The answers of a report that has any."""
    kept = shown(report)
    everybody = people(report, kept)
    if not everybody:
        return None
    models, (others, wrong) = standings(report), left_out(report, kept)
    shown_people = [_person(report, person, models) for person in everybody]
    return Answers(
        bool(report.answered),
        counted(others, "further answer") if others else "",
        f"{wrong:,}" if wrong else "",
        [probe.title for probe in report.probes],
        [model.label for model in report.methods.values()],
        shown_people[:OPEN_PEOPLE],
        shown_people[OPEN_PEOPLE:],
    )


def _person(report: Report, person: Person, models: list[Standing]) -> ShownPerson:
    cards = [_card(report, card, models) for card in person.cards]
    return ShownPerson(
        person.name,
        person.badge,
        person.forget,
        person.subject.facts if person.subject else {},
        cards[:OPEN_CARDS],
        cards[OPEN_CARDS:],
    )


def _card(report: Report, card: Card, models: list[Standing]) -> ShownCard:
    number = report.probes.index(card.probe)
    methods = {name: i for i, name in enumerate(report.methods)}
    questions = [
        Question(
            answer.question,
            key_of(card.probe),
            answer.expected,
            number,
            kind_of_failure(report, answer),
            replies(report, answer, models, methods),
        )
        for answer in card.answers
    ]
    return ShownCard(card.photo, card.probe.title, aim_of(card.probe), questions)


SECTION = Section("answers", "Before and after, answer by answer", "answers", prepare, style="screen", place=80)
