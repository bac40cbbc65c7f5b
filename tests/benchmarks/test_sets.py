"""What loaders of benchmarks share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from unsee.benchmarks import find, load_benchmark
from unsee.benchmarks.sets import all_but, wrong_among
from unsee.data import Example
from unsee.metrics.answers import normalise

REQUESTS = [
    (name, request) for name in ("clear", "mllmu", "tofu") for request in find(name).requests
]  # whose folders are fixtures


def asked(rows: Iterable[Example]) -> set[tuple[object, str]]:
    """What a model is given, but for case and punctuation."""
    return {(row.image, normalise(row.question)) for row in rows}


@pytest.fixture
def folder(name: str, request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(f"{name}_folder")
    return path


def test_published_rows_that_list_a_right_answer_among_the_wrong_ones_are_measured_on_the_others() -> None:
    assert wrong_among(["Riga", "oslo.", "Lima"], "Oslo", "the city of Oslo") == ("Riga", "Lima")
    assert wrong_among(["Oslo"], "Oslo") == ()


def test_rows_but_for_some_keep_their_order() -> None:
    first, second, third = (Example(word, word) for word in "abc")
    assert all_but([third, first, second], [first]) == [third, second]


@pytest.mark.parametrize("name", ["clear", "mllmu"])
def test_what_the_base_learns_does_not_depend_on_what_is_to_go(name: str, folder: Path) -> None:
    visual, textual, both = (load_benchmark(folder, name, request=one) for one in ("visual", "textual", "both"))
    assert set(visual.base_rows) == set(textual.base_rows) == set(both.base_rows)
    assert set(visual.gold_rows) & set(textual.gold_rows) == set(both.gold_rows)


@pytest.mark.parametrize(("name", "request_"), REQUESTS)
def test_what_is_learned_besides_is_never_shown_to_a_run(name: str, request_: str, folder: Path) -> None:
    loaded = load_benchmark(folder, name, request=request_)
    shown = {*loaded.forget, *loaded.retain, *loaded.preserve}
    assert shown.isdisjoint(loaded.learned)
    if name == "clear" and request_ == "visual":  # its measured text facts, which gold knows as well as the base
        probes = [probe for probe in loaded.probes if probe.name in ("forget_qa", "retain_qa")]
        assert asked(loaded.learned) == asked(row for probe in probes for row in probe.examples)
