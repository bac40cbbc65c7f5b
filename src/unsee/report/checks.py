"""Tables of what models hallucinate: a row for each model, in the order of the standings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from unsee.evaluation.results import CaptionCheck, Check, JudgedCheck, Tally, YesNoCheck
from unsee.report.contents import ModelResult
from unsee.report.standings import Standing
from unsee.report.verdict import Sign
from unsee.report.verdict.judging import share_of
from unsee.system.wording import percent, points

MORE = Sign("▲", "bad", "more than base")

Checks = Sequence[tuple[Standing, Check]]


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


def judged_table(checks: Sequence[tuple[Standing, JudgedCheck]]) -> Table:
    """What captions still say of what was judged in them."""
    heads = [
        Head("Judged hallucinated", "still said"),
        Head("at equal length"),
        Head("Judged real", "still named"),
        Head("at equal length"),
        Head("Words", "mean"),
    ]
    rows = [Row(standing.label, standing.colour, _judged_cells(standing.model, check)) for standing, check in checks]
    return Table("What captions still say", heads, rows)


def _judged_cells(model: ModelResult, check: JudgedCheck) -> list[Cell]:
    cells = [cell for tally in (check.hallucinated, check.real) for cell in _tally(model, tally)]
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


def caption_table(checks: Checks) -> Table:
    """What captions name that is not there, and what they name of what is."""
    heads = [
        Head("Answers that hallucinate", "CHAIR_S"),
        Head("at equal length", "change against base"),
        Head("Mentions hallucinated", "CHAIR_I"),
        Head("at equal length"),
        Head("Named of what is there", "recall"),
        Head("Words", "mean"),
    ]
    rows = [
        Row(standing.label, standing.colour, _caption_cells(standing, check))
        for standing, check in checks
        if isinstance(check, CaptionCheck)
    ]
    return Table("Hallucinations in captions", heads, rows)


def _caption_cells(standing: Standing, check: CaptionCheck) -> list[Cell]:
    cut_off = [f"{percent(check.truncated, 1)} cut off"] if check.truncated else []
    return [
        Cell(percent(check.chair_s, 1)),
        _changed(standing, check, check.chair_s_matched, check.base_chair_s_matched),
        *(Cell(percent(share, 1)) for share in (check.chair_i, check.chair_i_matched, check.recall)),
        Cell(_words(check.mean_words), cut_off),
    ]


def yes_no_table(checks: Checks) -> Table:
    """Of answers by yes or no, above all how often yes is said where no is right."""
    heads = [
        Head("Yes where no is right", "change against base"),
        *map(Head, ("Neither yes nor no", "Share of yes", "Accuracy", "Precision", "Recall", "F1")),
    ]
    of_kind = [(standing, check) for standing, check in checks if isinstance(check, YesNoCheck)]
    before = of_kind[0][1].false_yes
    rows = [
        Row(
            standing.label,
            standing.colour,
            [
                _changed(standing, check, check.false_yes, before),
                *(Cell(percent(share, 1)) for share in (check.undecided, check.yes_ratio, check.accuracy)),
                *(Cell(percent(share, 1)) for share in (check.precision, check.recall, check.f1)),
            ],
        )
        for standing, check in of_kind
    ]
    return Table("Hallucinations in answers by yes or no", heads, rows)


def _changed(standing: Standing, check: Check, share: float | None, before: float | None) -> Cell:
    """A share with its change against base."""
    change = check.change
    if standing.model.role == "base" or change.score is None:
        return Cell(percent(share, 1), strong=True)
    note = f"base {percent(before, 1)}: {points(change.score)}"
    if change.low is not None and change.high is not None:
        note += f" ({points(change.low)} to {points(change.high)})"
    more = check.hallucinates_more and standing.model.role == "method"
    return Cell(percent(share, 1), [note], MORE if more else None, strong=True)


def _words(mean: float | None) -> str:
    return "\N{EN DASH}" if mean is None else f"{mean:.1f}"
