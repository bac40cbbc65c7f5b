"""Further metrics on the page: every one that was measured, with its interval, before, as gold and after."""

from __future__ import annotations

import pytest

from tests.report.samples import judged
from unsee.evaluation import measures, registry
from unsee.evaluation.metric import Metric
from unsee.evaluation.results import Interval
from unsee.report import Report
from unsee.report.page import render
from unsee.report.sections.metrics import Cell, prepare

ROUGE = {"base": 0.9, "gold": 0.2, "m": 0.25}


def with_metrics(report: Report, probe: str, **metrics: dict[str, Interval]) -> Report:
    """A report whose models have these metrics on a probe."""
    for name, means in metrics.items():
        scores = report.models[name].scores
        scores[probe] = scores[probe].model_copy(update={"metrics": means})
    return report


@pytest.fixture
def report() -> Report:
    rouge = {name: Interval(score=mean, low=mean - 0.1, high=mean + 0.1, n=12) for name, mean in ROUGE.items()}
    ratios = {"base": 0.1, "m": 0.8}
    means = {
        name: {"rouge_l_recall": rouge[name]}
        | ({"truth_ratio_forget": Interval(score=ratios[name])} if name in ratios else {})
        for name in rouge
    }
    return with_metrics(judged([0.1, 0.98]), "forget_vqa", **means)


def test_a_row_has_every_model_with_its_interval_and_says_which_way_knowledge_goes(report: Report) -> None:
    found = prepare(report)
    assert found is not None
    assert [one.name for one in found.models] == ["base", "gold", "m"]
    (group,) = found.groups  # the other probe has none
    rouge, ratio = group.rows
    assert (rouge.label, rouge.arrow, rouge.questions) == ("ROUGE-L recall", "↑", "12")
    assert [cell.mean.replace("\N{NO-BREAK SPACE}", " ") for cell in rouge.cells] == ["90.0 %", "20.0 %", "25.0 %"]
    assert rouge.cells[1].interval == "10 to 30"
    assert (ratio.arrow, ratio.questions) == ("↓", "\N{EN DASH}")
    assert ratio.cells[1] == Cell("", "")  # gold has none
    assert ratio.cells[2].interval == ""  # of a file from before metrics had intervals


def test_the_page_shows_them_and_is_without_the_section_where_there_are_none(report: Report) -> None:
    page = render(report)
    assert 'id="h-metrics"' in page
    assert "ROUGE-L recall" in page
    assert "Truth ratio R, min(R, 1/R)" in page
    assert 'id="h-metrics"' not in render(judged([0.1, 0.98]))


def test_a_metric_that_was_added_is_shown_in_its_unit_and_where_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Metric("words", "words said", len, unit="words", better="neither")  # type: ignore[arg-type]
    hidden = Metric("secret", "not for pages", len, shown=("evaluate",))  # type: ignore[arg-type]
    monkeypatch.setattr(registry, "BUILT_IN", (*measures.BUILT_IN, shown, hidden))
    means = {"words": Interval(score=2.5, low=2.0, high=3.0, n=4), "secret": Interval(score=0.5)}
    found = prepare(with_metrics(judged([0.1, 0.98]), "forget_vqa", m=means))
    assert found is not None
    (row,) = found.groups[0].rows
    assert (row.label, row.arrow, row.cells[2]) == ("Words said", "", Cell("2.50 words", "2.00 to 3.00"))


def test_a_metric_that_nobody_here_knows_is_shown_by_its_name_and_escaped() -> None:
    means = {"gone<b>": Interval(score=0.5)}
    page = render(with_metrics(judged([0.1, 0.98]), "forget_vqa", m=means))
    assert "Gone&lt;b&gt;" in page
    assert "Gone<b>" not in page
