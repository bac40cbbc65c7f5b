"""Does it hallucinate more? What captions and answers by yes or no name that is not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unsee.evaluation.results import CaptionCheck, YesNoCheck
from unsee.report.checks import Table, caption_table, judged_table, yes_no_table
from unsee.report.contents import HallucinatedAnswer, Marked, ProbeInfo, Report
from unsee.report.section import Section
from unsee.report.standings import Standing, colour_of, standings
from unsee.report.verdict.hallucinating import checked
from unsee.system.wording import counted, percent

LEXICONS = {"coco": "the names of COCO's 80 categories", "objects": "what the rows of the probe list, nothing else"}


@dataclass(frozen=True)
class JudgedProbe:
    """What captions still say of what was judged in them."""

    title: str
    trained_on: bool
    judged: str  # how much was
    table: Table | None  # None: no model was asked
    sentences: str  # how many labels are no phrases; empty for none


@dataclass(frozen=True)
class Told:
    """The words of one model, in pieces."""

    label: str
    colour: str
    pieces: Sequence[Marked]


@dataclass(frozen=True)
class Example:
    """An answer that names what is not there."""

    photo: str | None
    question: str
    key: str
    truth: str
    of: str  # how many there are like it; empty for one
    model: str
    told: list[Told]


@dataclass(frozen=True)
class CheckedProbe:
    """What a probe tells that was made to tell."""

    title: str
    trained_on: bool
    table: Table
    examples: list[Example]
    captions: str = ""  # of which captions it is, in words; empty for one that is answered by yes or no
    lexicon: str = ""  # what objects may be called in captions
    questions: str = ""  # of which questions it is; empty for captions


@dataclass(frozen=True)
class Hallucination:
    """What the section shows."""

    judged: list[JudgedProbe]
    checked: list[CheckedProbe]


def prepare(report: Report) -> Hallucination:
    """Every probe that can tell; a report without any says so."""
    models = standings(report)
    return Hallucination(
        [_judged_probe(models, probe) for probe in report.probes if probe.judged],
        [_checked_probe(report, models, probe) for probe in checked(report)],
    )


def _judged_probe(models: Sequence[Standing], probe: ProbeInfo) -> JudgedProbe:
    checks = [(standing, check) for standing in models if (check := standing.model.judged.get(probe.name))]
    if not checks:
        return JudgedProbe(probe.title, probe.trained_on, "", None, "")
    first = checks[0][1]
    hallucinated = first.hallucinated.judged
    were = "was" if hallucinated == 1 else "were"
    judged = f"of {counted(first.captions, 'caption')}, {counted(hallucinated, 'phrase')} {were} judged hallucinated"
    return JudgedProbe(
        probe.title,
        probe.trained_on,
        f"{judged} and {counted(first.real.judged, 'phrase')} real",
        judged_table(checks),
        _sentences(first.sentences),
    )


def _sentences(number: int) -> str:
    if not number:
        return ""
    are, their = ("is a stretch", "its") if number == 1 else ("are stretches", "their")
    return f"{counted(number, 'label')} {are} of text without {their} phrases, which other captions hardly repeat."


def _checked_probe(report: Report, models: Sequence[Standing], probe: ProbeInfo) -> CheckedProbe:
    checks = [(standing, check) for standing in models if (check := standing.model.hallucination.get(probe.name))]
    first = checks[0][1]
    examples = [example for example in report.hallucinations if example.probe == probe.name]
    if isinstance(first, CaptionCheck):
        return CheckedProbe(
            probe.title,
            probe.trained_on,
            captions=f"{counted(first.captions, 'picture')} {'shows' if first.captions == 1 else 'show'}",
            table=caption_table(checks),
            lexicon=LEXICONS.get(first.lexicon, first.lexicon),
            examples=[_example(report, example, key="There is") for example in examples],
        )
    return CheckedProbe(
        probe.title,
        probe.trained_on,
        questions=_questions(first),
        table=yes_no_table(checks),
        examples=[_example(report, example, key="Right") for example in examples],
    )


def _questions(check: YesNoCheck) -> str:
    return f"{counted(check.questions, 'question')}, {percent(check.expected_yes)} of them to be answered by yes"


def _example(report: Report, example: HallucinatedAnswer, key: str) -> Example:
    told = [Told(report.models[name].label, colour_of(report, name), pieces) for name, pieces in example.said.items()]
    return Example(
        example.photo,
        example.question,
        key,
        example.truth,
        f"{example.of:,}" if example.of > 1 else "",
        told[-1].label if told else "",
        told,
    )


SECTION = Section("hallucinates", "Does it hallucinate more?", "hallucination", prepare, place=60)
