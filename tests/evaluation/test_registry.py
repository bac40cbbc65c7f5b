"""A metric is one function and one entry: it is measured, shown and written, wherever it comes from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.evaluation.test_measure import record
from unsee.data import Example
from unsee.errors import InputError
from unsee.evaluation import measures, registry
from unsee.evaluation.measure import summary
from unsee.evaluation.metric import Metric, wrong_field
from unsee.evaluation.records import Record
from unsee.evaluation.registry import measured, metrics
from unsee.metrics import bootstrap

ROWS = [record(n, f"person {n}", "city", True, said="x" * n) for n in range(4)]
PLUGIN = """
from unsee.evaluation.metric import Metric

def lengths(records):
    return [float(len(record.said)) for record in records]

length = Metric("length", "letters per answer", lengths, unit="letters", better="neither")
"""


def offer(monkeypatch: pytest.MonkeyPatch, folder: Path, place: str, content: str = PLUGIN) -> None:
    """An installed package with an entry point of the group."""
    (folder / "their_metrics.py").write_text(content)
    about = folder / "their_package-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: their_package\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text(f"[unsee.metrics]\nlength = {place}\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(__import__("sys").modules, "their_metrics", raising=False)


def with_entry(monkeypatch: pytest.MonkeyPatch, metric: Metric) -> None:
    """A metric of our own more."""
    monkeypatch.setattr(registry, "BUILT_IN", (*measures.BUILT_IN, metric))


def test_every_metric_of_ours_fits_what_is_asked_of_strangers() -> None:
    assert list(metrics()) == [metric.name for metric in measures.BUILT_IN]
    assert not [wrong for metric in measures.BUILT_IN if (wrong := wrong_field(metric))]


def test_a_metric_is_a_mean_over_the_rows_that_have_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Sequence[Record]] = []

    def options(records: Sequence[Record]) -> list[float]:
        seen.append(records)
        return [float(len(row.choices)) for row in records]

    with_entry(monkeypatch, Metric("options", "options", options, unit="options", needs=("choices", "image")))
    assert "options" not in measured(ROWS)
    assert seen == []
    rich = [replace(row, choices=("a", "b")[: 1 + n % 2], image="digest" if n else None) for n, row in enumerate(ROWS)]
    found = measured(rich)["options"]
    assert seen == [rich[1:]]  # the first has no picture
    assert found.score == pytest.approx((2 + 1 + 2) / 3)
    assert found.n == 3
    assert found.low < found.score < found.high


def test_a_metric_may_be_no_mean_but_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    own = bootstrap.Score(0.5, 0.25, 0.75, 4)
    with_entry(monkeypatch, Metric("own", "own", lambda records: own))
    assert measured(ROWS)["own"] == own


def test_no_records_have_no_numbers_and_no_metric_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with_entry(monkeypatch, Metric("never", "never", lambda records: [1 / len(records)]))
    assert math.isnan(measured([])["never"].score)
    assert measured([])["never"].n == 0


@pytest.mark.parametrize("values", [[1.0], 3.0, ["a"] * 4, None, [[1.0]] * 4])
def test_values_that_are_not_one_per_record_are_refused(monkeypatch: pytest.MonkeyPatch, values: Any) -> None:
    with_entry(monkeypatch, Metric("own", "own", lambda records: values))
    with pytest.raises(InputError, match=r"metric own: gives .* for 4 records; give a number each"):
        measured(ROWS)


def test_a_metric_of_an_installed_package_is_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "length" not in metrics()
    offer(monkeypatch, tmp_path, "their_metrics:length")
    assert list(metrics())[-1] == "length"
    assert measured(ROWS)["length"].score == pytest.approx((0 + 1 + 2 + 3) / 4)


def test_no_metric_of_a_package_stands_for_what_is_measured_anyway(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    offer(monkeypatch, tmp_path, "their_metrics:length", PLUGIN.replace('"length"', '"exact_match"'))
    found = summary(tiny.llava(), [Example("Who?", "Ada"), Example("Where?", "Riga")], max_new_tokens=2)
    assert found["exact_match"] == 0.0
    assert found["metrics"]["exact_match"]["score"] > 0.0


MINE = "from unsee.evaluation.metric import Metric\nlength = Metric({})"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("length = 3", "is 3; give an unsee.evaluation.metric.Metric"),
        ("1 / 0", "cannot be loaded: "),
        (MINE.format("'Length', 'x', len"), "name is 'Length'; give small letters"),
        (MINE.format("'length', ' ', len"), "label is ' '; give a few words"),
        (MINE.format("'length', 'x', 3"), "of is 3; give a function of records"),
        (MINE.format("'length', 'x', len, unit=None"), "unit is None; give share, nats or another word"),
        (MINE.format("'length', 'x', len, better='more'"), "better is 'more'; give one of higher, lower, neither"),
        (
            MINE.format("'length', 'x', len, needs=('choice',)"),
            "needs is ('choice',); give a tuple of fields of Record",
        ),
        (MINE.format("'length', 'x', len, shown='page'"), "shown is 'page'; give a tuple of evaluate, unlearn, page"),
        (MINE.format("'rouge_l_recall', 'x', len"), "the name 'rouge_l_recall' is taken"),
        (MINE.format("'ungated', 'x', len"), "the name 'ungated' is taken"),
    ],
)
def test_what_is_no_metric_is_refused_with_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str, said: str
) -> None:
    offer(monkeypatch, tmp_path, "their_metrics:length", content)
    with pytest.raises(InputError) as error:
        metrics()
    assert str(error.value).startswith("unsee.metrics: length of their_package 1.2 (their_metrics:length)")
    assert said in str(error.value)
    assert "\n" not in str(error.value)
