"""The answers, arranged for reading: by person and photograph, and which of them went wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from unsee.report.contents import Answer, ProbeInfo, Report, Subject
from unsee.report.verdict import Tone

MOST_PER_PROBE = 60  # answers on the page; a run may have thousands, and they are all in its records

Failure = Literal["still said", "lost", ""]


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


def people(report: Report) -> list[Person]:
    """Answers by subject and photograph; those whom the request is about come first."""
    probes = {probe.name: probe for probe in report.probes}
    everybody: dict[str | None, Person] = {subject.name: Person(subject.name, subject) for subject in report.subjects}
    for answer in shown(report):
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


def left_out(report: Report) -> tuple[int, int]:
    """How many answers the page does not show, and how many of these went wrong."""
    kept = {id(answer) for answer in shown(report)}
    others = [answer for answer in report.answers if id(answer) not in kept]
    return len(others), sum(bool(kind_of_failure(report, answer)) for answer in others)


def judged_by(report: Report, answer: Answer, model: str) -> bool | None:
    """What the answer of a method is judged by: whether it was to go (True) or to stay (False).

    None where it is not judged: base and gold, what base did not know, and where nobody said what is hoped for.
    """
    base = next((name for name, one in report.models.items() if one.role == "base"), None)
    if model not in answer.correct or report.models[model].role != "method":
        return None
    if base in answer.correct and not answer.correct[base]:
        return None
    return next(probe.forget for probe in report.probes if probe.name == answer.probe)


def answer_tone(report: Report, answer: Answer, model: str) -> Tone:
    """Whether this answer is what the request hopes for; plain where it is not judged."""
    forget = judged_by(report, answer, model)
    if forget is None:
        return "plain"
    if answer.correct[model]:
        return "bad" if forget else "good"
    if forget and report.models[model].collapsed:
        return "plain"
    return "good" if forget else "bad"


def kind_of_failure(report: Report, answer: Answer) -> Failure:
    """How a question went wrong for some method: its answer should have gone, or should have stayed; "" for neither."""
    if not any(answer_tone(report, answer, name) == "bad" for name in report.methods):
        return ""
    return "still said" if next(probe.forget for probe in report.probes if probe.name == answer.probe) else "lost"
