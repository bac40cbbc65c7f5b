"""One request after another: a benchmark whose people are asked to be forgotten in several groups."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from random import Random

from unsee.data.example import Benchmark, Example, Probe
from unsee.data.sets import repeats
from unsee.errors import InputError


def in_requests(benchmark: Benchmark, count: int, seed: int) -> list[Benchmark]:
    """A benchmark for each request, in their order.

    A request forgets the rows of its own people. Its probes about people whose turn comes later are called
    `waiting_...`, and their answers are to stay until then; what an earlier request removed is asked again by
    `unsee unlearn --after`, so that only what was to stay of them has probes here, `earlier_...`. What is retained is
    the same in all.

    Args:
        benchmark: whose forget set is parted; its rows name their subjects.
        count: of requests.
        seed: decides whose turn is when.

    Raises:
        InputError: fewer people than requests, or a row that names nobody.
    """
    nameless = next((number for number, row in enumerate(benchmark.forget, start=1) if row.subject is None), None)
    if nameless:
        raise InputError(f"{benchmark.name}: row {nameless} of the forget set names no subject, so it has no request")
    people = sorted({str(row.subject) for row in benchmark.forget})
    if not 1 <= count <= len(people):
        raise InputError(f"requests is {count}; {len(people)} people are to be forgotten, so it is 1 to {len(people)}")
    Random(f"requests/{seed}").shuffle(people)
    groups = [people[number * len(people) // count : (number + 1) * len(people) // count] for number in range(count)]
    return [_request(benchmark, groups, number) for number in range(count)]


def _request(benchmark: Benchmark, groups: Sequence[Collection[str]], number: int) -> Benchmark:
    forget = [row for row in benchmark.forget if row.subject in groups[number]]
    probes = [
        replace(part, trained_on=repeats(part.examples, (forget, benchmark.retain)))
        for probe in benchmark.probes
        for part in _parts(probe, groups, number)
    ]
    return replace(
        benchmark, name=f"{benchmark.name}, request {number + 1} of {len(groups)}", forget=forget, probes=probes
    )


def _parts(probe: Probe, groups: Sequence[Collection[str]], number: int) -> Iterator[Probe]:
    """A probe, parted by whose turn it is; one without any people of the requests stays as it is."""
    everybody = {person for group in groups for person in group}
    if not any(row.subject in everybody for row in probe.examples):
        yield probe
        return
    later = {person for group in groups[number + 1 :] for person in group}
    before = {person for group in groups[:number] for person in group}
    yield replace(probe, examples=_about(probe, lambda subject: subject not in later | before))
    yield Probe(f"waiting_{probe.name}", _about(probe, lambda subject: subject in later), role="keep")
    if probe.role == "keep":
        yield Probe(f"earlier_{probe.name}", _about(probe, lambda subject: subject in before), role="keep")


def _about(probe: Probe, chosen: Callable[[str | None], bool]) -> list[Example]:
    return [row for row in probe.examples if chosen(row.subject)]
