"""The answers, arranged for reading: by person and photograph, and two of them as an example."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from unsee.report.contents import Answer, ProbeInfo, Report, Subject
from unsee.report.verdict import Tone, verdict

MOST_PER_PROBE = 60  # answers on the page; a run may have thousands, and they are all in its records


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
    """At most `MOST_PER_PROBE` answers of each probe, taken in turn from its subjects."""
    rank: Counter[tuple[str, str | None]] = Counter()
    turns: dict[str, list[tuple[int, int]]] = {}
    for i, answer in enumerate(report.answers):
        turns.setdefault(answer.probe, []).append((rank[answer.probe, answer.subject], i))
        rank[answer.probe, answer.subject] += 1
    kept = sorted(i for probe in turns.values() for _, i in sorted(probe)[:MOST_PER_PROBE])
    return [report.answers[i] for i in kept]


def answer_tone(report: Report, answer: Answer, model: str) -> Tone:
    """Whether this answer is what the request hopes for.

    Base and gold are not judged, nor what base did not know, nor where nobody said what is hoped for.
    """
    base = next((name for name, one in report.models.items() if one.role == "base"), None)
    if model not in answer.correct:
        return "plain"
    if report.models[model].role != "method" or (base in answer.correct and not answer.correct[base]):
        return "plain"
    forget = next(probe.forget for probe in report.probes if probe.name == answer.probe)
    if forget is None:
        return "plain"
    if answer.correct.get(model):
        return "bad" if forget else "good"
    if forget and report.models[model].collapsed:
        return "plain"
    return "good" if forget else "bad"


@dataclass(frozen=True)
class Example:
    """One question as it was answered before, by gold, and by one method."""

    answer: Answer
    probe: ProbeInfo
    models: list[str]


def examples(report: Report) -> list[Example]:
    """At most two answers that show what happened: one that went as the request hopes, and one that stayed.

    The first is about a subject that the request names and was right before; the second, where there is one, is about
    the same subject and was to stay (the facts in words of a visual request). They illustrate and prove nothing.
    """
    base = next((name for name, model in report.models.items() if model.role == "base"), None)
    gold = [name for name, model in report.models.items() if model.role == "gold"]
    best = min(report.methods, key=lambda name: not verdict(report, name).success, default=None)
    if base is None or best is None:
        return []
    models = [base, *gold, best]
    fitting = [
        Example(answer, probe, models)
        for answer in report.answers
        for probe in report.probes
        if probe.name == answer.probe
        and set(models) <= set(answer.said) & set(answer.correct)
        and answer.correct[base]
        and probe.forget is not None
        and answer.correct[best] != probe.forget
        and not (probe.forget and any(answer.correct[name] for name in gold))
    ]
    gone = next((one for one in fitting if one.probe.forget), None)
    if gone is None:
        return []
    stays = [one for one in fitting if not one.probe.forget]
    same = [one for one in stays if one.answer.subject == gone.answer.subject]
    return [gone, *(same or stays)[:1]]
