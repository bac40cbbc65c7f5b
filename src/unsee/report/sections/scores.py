"""All scores: a table of every model on every probe, each against its target."""

from __future__ import annotations

from dataclasses import dataclass

from unsee.evaluation.results import Score
from unsee.report.contents import ModelResult, ProbeInfo, Report
from unsee.report.section import Section
from unsee.report.standings import Standing, pictures_of, standings
from unsee.report.verdict import Mark, mark
from unsee.system.wording import percent

PARTS = ((True, "To be forgotten"), (False, "To stay"), (None, "Not known what for"))


@dataclass(frozen=True)
class Cell:
    """The score of one model on one probe."""

    score: float | None  # None: not measured
    mark: Mark | None  # against its target
    notes: list[str]  # its interval, the share over the other choice of questions, what was cut off


@dataclass(frozen=True)
class Row:
    """A probe."""

    name: str
    title: str
    description: str
    warning: str  # what of it was trained on
    cells: list[Cell]
    chance: float | None
    counts: str  # of questions


@dataclass(frozen=True)
class Part:
    """Probes that are for the same."""

    title: str
    rows: list[Row]


@dataclass(frozen=True)
class Scores:
    """What the section shows."""

    models: list[Standing]
    parts: list[Part]
    columns: int
    gold: bool
    guessing: bool  # whether any probe has its share of blind guesses
    left_out: bool  # whether any question was
    chance: dict[str, float]  # by question


def prepare(report: Report) -> Scores | None:
    """The table, where any question has a right answer."""
    if not report.answered:
        return None
    models = standings(report)
    guessing = any(probe.chance is not None for probe in report.answered)
    parts = [
        Part(title, [_row(report, models, probe) for probe in report.answered if probe.forget is forget])
        for forget, title in PARTS
    ]
    return Scores(
        models,
        [part for part in parts if part.rows],
        len(models) + 2 + guessing,
        gold=report.of_role("gold") is not None,
        guessing=guessing,
        left_out=any(score.left_out for model in report.models.values() for score in model.scores.values()),
        chance=report.chance,
    )


def _row(report: Report, models: list[Standing], probe: ProbeInfo) -> Row:
    pictures = pictures_of(probe) if probe.pictures_trained_on else ""
    return Row(
        probe.name,
        probe.title,
        probe.description,
        "measured on training rows" if probe.trained_on else pictures,
        [_cell(report, probe, standing.model) for standing in models],
        probe.chance,
        counts(report, probe),
    )


def _cell(report: Report, probe: ProbeInfo, model: ModelResult) -> Cell:
    whole = model.scores.get(probe.name)
    if whole is None:
        return Cell(None, None, [])
    score = whole.counted(probe.forget)
    return Cell(score.score, mark(report, probe, model), _notes(whole, score, probe))


def _notes(whole: Score, score: Score, probe: ProbeInfo) -> list[str]:
    """What stands below a share in small print."""
    notes = []
    if score.low is not None and score.high is not None:
        notes.append(f"{score.low * 100:.0f} to {score.high * 100:.0f}")
    if (beside := whole.beside(probe.forget)) is not None:
        notes.append(f"{'known before' if probe.forget is False else 'all questions'}: {percent(beside, 1)}")
    if score.truncated:
        notes.append(f"{percent(score.truncated, 1)} cut off")
    return notes


def counts(report: Report, probe: ProbeInfo) -> str:
    """How many questions were scored, how many the knowledge gate left out, and how many it could not judge."""
    scores = [model.scores[probe.name] for model in report.models.values() if probe.name in model.scores]
    scored = sorted({score.counted(probe.forget).n for score in scores})
    text = " or ".join(f"{n:,}" for n in scored) or "\N{EN DASH}"
    if left_out := max((score.left_out for score in scores), default=0):
        text += f", {left_out:,} not known before" if probe.forget is False else f", {left_out:,} left out"
    alone = max((score.alone for score in scores), default=0)
    return f"{text}; {alone:,} of facts asked once" if alone and probe.forget is not False else text


SECTION = Section("scores", "All scores", "scores", prepare, place=40)
