"""Does it invent more? What captions and answers by yes or no name that is not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from unsee.evaluation.results import CaptionCheck, Check, JudgedCheck, Tally, YesNoCheck
from unsee.report.contents import Invention, Marked, ModelResult, ProbeInfo, Report
from unsee.report.section import Section
from unsee.report.standings import Standing, colour_of, standings
from unsee.report.verdict import Sign
from unsee.report.verdict.hallucinating import checked
from unsee.report.verdict.judging import share_of
from unsee.system.wording import counted, percent, points

MORE = Sign("▲", "bad", "more than base")
LEXICONS = {"coco": "the names of COCO's 80 categories", "objects": "what the rows of the probe list, nothing else"}


@dataclass(frozen=True)
class Head:
    """A column."""

    title: str
    note: str = ""


@dataclass(frozen=True)
class Cell:
    """A number, and what stands below it."""

    text: str
    notes: list[str] = field(default_factory=list)
    sign: Sign | None = None
    strong: bool = False  # one of those that the table is about


@dataclass(frozen=True)
class Row:
    """A model."""

    label: str
    colour: str
    cells: list[Cell]


@dataclass(frozen=True)
class Table:
    """Models and their numbers."""

    caption: str  # for a reader who hears the page
    heads: list[Head]
    rows: list[Row]


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
    checks = [(one, check) for one in models if (check := one.model.judged.get(probe.name))]
    if not checks:
        return JudgedProbe(probe.title, probe.trained_on, "", None, "")
    first = checks[0][1]
    invented, were = counted(first.invented.judged, "phrase"), "was" if first.invented.judged == 1 else "were"
    judged = f"of {counted(first.captions, 'caption')}, {invented} {were} judged invented"
    return JudgedProbe(
        probe.title,
        probe.trained_on,
        f"{judged} and {counted(first.real.judged, 'phrase')} real",
        Table(
            "What captions still say",
            [
                Head("Judged invented", "still said"),
                Head("at equal length"),
                Head("Judged real", "still named"),
                Head("at equal length"),
                Head("Words", "mean"),
            ],
            [Row(one.label, one.colour, _judged_cells(one.model, check)) for one, check in checks],
        ),
        _sentences(first.sentences),
    )


def _sentences(number: int) -> str:
    if not number:
        return ""
    are, their = ("is a stretch", "its") if number == 1 else ("are stretches", "their")
    return f"{counted(number, 'label')} {are} of text without {their} phrases, which other captions hardly repeat."


def _judged_cells(model: ModelResult, check: JudgedCheck) -> list[Cell]:
    cells = [cell for tally in (check.invented, check.real) for cell in _tally(model, tally)]
    cut_off = f"{check.truncated:,} of {check.captions:,} cut off" if check.truncated else ""
    return [*cells, Cell(_words(check.mean_words), [cut_off] if cut_off else [])]


def _tally(model: ModelResult, tally: Tally) -> list[Cell]:
    unknown = f", {tally.unknown:,} not known" if tally.unknown else ""
    base = f"base {percent(share_of(tally.base_said_matched, tally.judged), 1)}"
    now, matched = (percent(share_of(number, tally.judged), 1) for number in (tally.said, tally.said_matched))
    return [
        Cell(now, [f"{tally.said:,} of {tally.judged:,}{unknown}"], strong=True),
        Cell(matched, [] if model.role == "base" else [base], strong=True),
    ]


def _words(mean: float | None) -> str:
    return "\N{EN DASH}" if mean is None else f"{mean:.1f}"


def _checked_probe(report: Report, models: Sequence[Standing], probe: ProbeInfo) -> CheckedProbe:
    checks = [(one, check) for one in models if (check := one.model.hallucination.get(probe.name))]
    first = checks[0][1]
    examples = [example for example in report.inventions if example.probe == probe.name]
    if isinstance(first, CaptionCheck):
        return CheckedProbe(
            probe.title,
            probe.trained_on,
            captions=f"{counted(first.captions, 'picture')} {'shows' if first.captions == 1 else 'show'}",
            table=_caption_table(checks),
            lexicon=LEXICONS.get(first.lexicon, first.lexicon),
            examples=[_example(report, example, key="There is") for example in examples],
        )
    return CheckedProbe(
        probe.title,
        probe.trained_on,
        questions=_questions(first),
        table=_yes_no_table(checks),
        examples=[_example(report, example, key="Right") for example in examples],
    )


def _questions(check: YesNoCheck) -> str:
    return f"{counted(check.questions, 'question')}, {percent(check.expected_yes)} of them to be answered by yes"


Checks = Sequence[tuple[Standing, Check]]


def _caption_table(checks: Checks) -> Table:
    heads = [
        Head("Answers that invent", "CHAIR_S"),
        Head("at equal length", "change against base"),
        Head("Mentions invented", "CHAIR_I"),
        Head("at equal length"),
        Head("Named of what is there", "recall"),
        Head("Words", "mean"),
    ]
    rows = [
        Row(one.label, one.colour, _caption_cells(one, check))
        for one, check in checks
        if isinstance(check, CaptionCheck)
    ]
    return Table("Inventions in captions", heads, rows)


def _caption_cells(one: Standing, check: CaptionCheck) -> list[Cell]:
    cut_off = [f"{percent(check.truncated, 1)} cut off"] if check.truncated else []
    return [
        Cell(percent(check.chair_s, 1)),
        _changed(one, check, check.chair_s_matched, check.base_chair_s_matched),
        *(Cell(percent(share, 1)) for share in (check.chair_i, check.chair_i_matched, check.recall)),
        Cell(_words(check.mean_words), cut_off),
    ]


def _yes_no_table(checks: Checks) -> Table:
    heads = [
        Head("Yes where no is right", "change against base"),
        *map(Head, ("Neither yes nor no", "Share of yes", "Accuracy", "Precision", "Recall", "F1")),
    ]
    of_kind = [(one, check) for one, check in checks if isinstance(check, YesNoCheck)]
    before = of_kind[0][1].false_yes
    rows = [
        Row(
            one.label,
            one.colour,
            [
                _changed(one, check, check.false_yes, before),
                *(Cell(percent(share, 1)) for share in (check.undecided, check.yes_ratio, check.accuracy)),
                *(Cell(percent(share, 1)) for share in (check.precision, check.recall, check.f1)),
            ],
        )
        for one, check in of_kind
    ]
    return Table("Inventions in answers by yes or no", heads, rows)


def _changed(one: Standing, check: Check, share: float | None, before: float | None) -> Cell:
    """A share with its change against base."""
    change = check.change
    if one.model.role == "base" or change.score is None:
        return Cell(percent(share, 1), strong=True)
    note = f"base {percent(before, 1)}: {points(change.score)}"
    if change.low is not None and change.high is not None:
        note += f" ({points(change.low)} to {points(change.high)})"
    more = check.invents_more and one.model.role == "method"
    return Cell(percent(share, 1), [note], MORE if more else None, strong=True)


def _example(report: Report, example: Invention, key: str) -> Example:
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


SECTION = Section("invents", "Does it invent more?", "hallucination", prepare)
