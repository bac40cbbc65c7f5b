"""One request after another: everybody's turn comes once, and until then they are to stay known."""

from __future__ import annotations

import pytest

from tests.data.conftest import refused
from unsee.benchmarks.sequence import in_requests
from unsee.data import Benchmark, Example, Probe

PEOPLE = ("Ada", "Ben", "Cleo", "Dan", "Eva")


def row(subject: str | None, what: str = "Where?") -> Example:
    return Example(f"{what} {subject}", "There", subject=subject)


def whole(request: str = "both") -> Benchmark:
    probes = [
        Probe("forget_qa", [row(one, "Who?") for one in PEOPLE], role="forget"),
        Probe("forget_vqa", [row(one, "Whose?") for one in PEOPLE], role="keep"),  # as of a request that spares these
        Probe("retain_qa", [row("Max")], trained_on=True, role="keep"),
        Probe("world", [row(None, "What?")], role="keep"),
    ]
    return Benchmark("people", [row(one) for one in PEOPLE], [row("Max")], probes=probes, request=request)


def about(benchmark: Benchmark, probe: str) -> set[str | None]:
    return {row.subject for one in benchmark.probes if one.name == probe for row in one.examples}


def test_everybody_is_forgotten_once_and_waits_until_then() -> None:
    requests = in_requests(whole(), 3, seed=0)
    groups = [{row.subject for row in one.forget} for one in requests]
    assert sorted(map(len, groups)) == [1, 2, 2]
    assert set().union(*groups) == set(PEOPLE)
    for number, one in enumerate(requests):
        before, later = set().union(*groups[:number]), set().union(*groups[number + 1 :])
        assert about(one, "forget_qa") == groups[number]
        assert about(one, "waiting_forget_qa") == later
        assert about(one, "earlier_forget_qa") == set()  # `unsee unlearn --after` asks these
        assert about(one, "earlier_forget_vqa") == before  # and not those that were to stay
        assert about(one, "retain_qa") == {"Max"}
        assert about(one, "world") == {None}
        assert one.retain == whole().retain
        assert one.name == f"people, request {number + 1} of 3"


def test_roles_and_marks_are_those_of_the_request() -> None:
    (first, _) = in_requests(whole(), 2, seed=0)
    roles = {probe.name: probe.role for probe in first.probes}
    assert roles["forget_qa"] == "forget"
    assert {roles[name] for name in roles if name != "forget_qa"} == {"keep"}
    taught = Benchmark(
        "people", whole().forget, probes=[Probe("forget_qa", whole().forget, trained_on=True, role="forget")]
    )
    first = in_requests(taught, 2, seed=0)[0]
    assert {probe.name: probe.trained_on for probe in first.probes} == {"forget_qa": True, "waiting_forget_qa": False}


def test_the_seed_decides_whose_turn_is_when() -> None:
    first = {frozenset(str(row.subject) for row in in_requests(whole(), 5, seed)[0].forget) for seed in range(8)}
    assert len(first) > 1
    assert in_requests(whole(), 2, 4) == in_requests(whole(), 2, 4)


@pytest.mark.parametrize("count", [0, 6])
def test_there_are_no_more_requests_than_people(count: int) -> None:
    assert refused(in_requests, whole(), count, 0) == (
        f"requests is {count}; 5 people are to be forgotten, so it is 1 to 5"
    )


def test_rows_about_nobody_have_no_request() -> None:
    assert "row 1 of the forget set names no subject" in refused(in_requests, Benchmark("b", [row(None)]), 1, 0)
