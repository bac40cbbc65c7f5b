"""What an earlier request removed is gated by what the first base knew, and counted when it is said again."""

from __future__ import annotations

import pytest

from unsee.data import Benchmark, Example, Probe
from unsee.errors import InputError
from unsee.evaluation.after import Earlier, came_back
from unsee.evaluation.compared import compared
from unsee.evaluation.records import Record
from unsee.evaluation.results import Again

QUESTIONS = [f"{fact}, asked in way {way}?" for fact in ("city", "work") for way in range(3)]


def said(probe: str, right: str) -> list[Record]:
    """Records of two facts in three wordings each; `right` has a 1 for each right answer."""
    return [
        Record(probe, place, None, "Ada", question[:4], question, "Riga", "Riga", one == "1", -1.0, 2)
        for place, (question, one) in enumerate(zip(QUESTIONS, right, strict=True))
    ]


def earlier_of(base: str, result: str) -> Earlier:
    rows = [Example(question, "Riga", subject="Ada", fact=question[:4]) for question in QUESTIONS]
    probes = [Probe("facts", rows, role="forget"), Probe("rest", rows, role="keep")]
    before, after = ({"facts": said("facts", one), "rest": []} for one in (base, result))
    return Earlier.of(probes, before, after, "runs/first")


def test_only_what_was_known_and_removed_can_come_back() -> None:
    # Base knew the city (3 rows) and one wording of the work; the first request left one wording of the city.
    earlier = earlier_of("111100", "100000")
    assert [probe.name for probe in earlier.probes] == ["after_facts"]
    assert came_back(earlier, {"after_facts": said("after_facts", "110011")}) == {
        "after_facts": Again(removed=3, again=1)
    }
    assert came_back(earlier, {"after_facts": said("after_facts", "000000")})["after_facts"].again == 0


def test_the_gate_of_an_earlier_request_is_the_knowledge_of_its_own_base() -> None:
    earlier = earlier_of("111000", "000000")
    records = {
        "base": {"after_facts": said("after_facts", "000000")},
        "npo": {"after_facts": said("after_facts", "100000")},
    }
    benchmark = Benchmark("now", [], [], [], list(earlier.probes))
    found = compared(benchmark, records, {}, earlier=earlier)
    scores = found.models["npo"]["after_facts"]
    assert [scores.n, scores.left_out, scores.score] == [3, 3, pytest.approx(1 / 3)]
    assert found.after == {"npo": {"after_facts": Again(removed=3, again=1)}}
    dropped = compared(benchmark, records, {}).models["npo"]["after_facts"]
    assert (dropped.n, dropped.left_out) == (0, 6)


def test_other_rows_than_were_asked_are_no_comparison() -> None:
    records = {"after_facts": said("after_facts", "000000")[:-1]}
    with pytest.raises(InputError, match="after_facts: other rows"):
        came_back(earlier_of("111000", "000000"), records)


def test_a_run_that_asked_nothing_about_what_was_to_go_is_refused() -> None:
    with pytest.raises(InputError, match="no probe of runs/first"):
        Earlier.of([Probe("rest", [], role="keep")], {"rest": []}, {"rest": []}, "runs/first")
