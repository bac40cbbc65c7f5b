"""Several runs side by side: one base, one gold, the same probes, and a row for each run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unsee.evaluation.compared import BASE
from unsee.evaluation.results import CaptionCheck
from unsee.report.assemble import models_of, probes_of
from unsee.report.comparable import Role, check_gold, gold_of, named, opened, role_of
from unsee.report.contents import ModelResult, ProbeInfo, Report
from unsee.report.verdict import VERDICT_SIGNS, Verdict, verdict


@dataclass(frozen=True)
class Cell:
    """One number of one model: a share from 0 to 1, with its 95 % interval where it has one."""

    probe: str
    metric: str  # accuracy; chair_s_matched, false_yes; judged_hallucinated_said, judged_real_said
    score: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Row:
    """One model."""

    name: str
    cells: list[Cell]
    verdict: str = ""  # in a few words; empty for base and gold


@dataclass(frozen=True)
class Comparison:
    """A table of models that started from one base and were asked the same."""

    rows: list[Row]  # base, gold if there is one, then the runs in their order
    roles: dict[str, Role]  # by probe


def compare(folders: Sequence[Path]) -> Comparison:
    """Put finished runs side by side.

    Args:
        folders: of the runs; the same one twice counts once.

    Raises:
        InputError: one holds no finished run, or they differ in what they start from, are asked, or count as gold.
    """
    runs = opened(folders)
    check_gold(runs)
    base, probes, gold = models_of(runs[0])[BASE], probes_of(runs[0]), gold_of(runs)
    rows = [Row(name, _cells(model, probes)) for name, model in {BASE: base, **gold}.items()]
    for name, run in named(runs).items():
        method, models = run.settings.card.name, models_of(run)
        page = Report(title=name, models={BASE: models[BASE], **gold, method: models[method]}, probes=probes_of(run))
        rows.append(Row(name, _cells(models[method], probes), _words(verdict(page, method))))
    return Comparison(rows, {probe.name: role_of(probe) for probe in probes})


def _words(outcome: Verdict) -> str:
    """A verdict as the page marks it, in a few words."""
    states = (outcome.condition or outcome.forgetting, outcome.keeping, outcome.hallucinating, outcome.judging)
    phrases = [VERDICT_SIGNS[state].words for state in states if state in VERDICT_SIGNS]
    return "; ".join(phrases) or "not measured"


def _cells(model: ModelResult, probes: Sequence[ProbeInfo]) -> list[Cell]:
    return [cell for probe in probes for cell in (*_answered(model, probe), *_hallucinated(model, probe))]


def _answered(model: ModelResult, probe: ProbeInfo) -> list[Cell]:
    """The share of right answers; of captions with judged phrases, what of these is still said."""
    if (check := model.judged.get(probe.name)) is not None:
        tallies = {"judged_hallucinated_said": check.hallucinated, "judged_real_said": check.real}
        return [
            Cell(probe.name, name, tally.said / tally.judged if tally.judged else None, None, None, tally.judged)
            for name, tally in tallies.items()
        ]
    score = model.scores.get(probe.name)
    if score is None:
        return []
    accuracy = score.counted(probe.forget)
    return [Cell(probe.name, "accuracy", accuracy.score, accuracy.low, accuracy.high, accuracy.n)]


def _hallucinated(model: ModelResult, probe: ProbeInfo) -> list[Cell]:
    """The share of captions, or of questions to be answered by no, in which something is hallucinated."""
    check = model.hallucination.get(probe.name)
    if check is None:
        return []
    if isinstance(check, CaptionCheck):
        return [Cell(probe.name, "chair_s_matched", check.chair_s_matched, None, None, check.captions)]
    return [Cell(probe.name, "false_yes", check.false_yes, None, None, check.questions)]


def columns(found: Comparison) -> list[tuple[str, str]]:
    """Probe and metric of each column, in order."""
    return list(dict.fromkeys((cell.probe, cell.metric) for row in found.rows for cell in row.cells))


def cells_of(row: Row) -> Mapping[tuple[str, str], Cell]:
    """The cells of a row by probe and metric."""
    return {(cell.probe, cell.metric): cell for cell in row.cells}
