"""Nobody is asked about both when configurations are chosen and when they are reported."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests import tiny
from unsee.data import Benchmark, Example, Probe
from unsee.errors import InputError
from unsee.leaderboard.ground import Stage
from unsee.leaderboard.halves import STAGES, Halves, halve


def row(subject: str | None, number: int = 0, fact: str | None = "city", pictured: bool = False) -> Example:
    image = tiny.picture(number) if pictured else None
    return Example(f"Q{number} {subject} {fact}", "Riga", image, subject, fact)


FORGOTTEN, OTHERS, KNOWN = [f"f{n}" for n in range(5)], [f"r{n}" for n in range(6)], [f"c{n}" for n in range(4)]
SCENES = [row(None, number, pictured=True) for number in range(6)]


def benchmark() -> Benchmark:
    probes = [
        Probe("forget_vqa", [row(name, n, pictured=True) for name in FORGOTTEN for n in (1, 2)], role="forget"),
        Probe("forget_qa", [row(name) for name in FORGOTTEN], role="keep"),
        Probe("retain_vqa", [row(name, 1, pictured=True) for name in OTHERS], role="keep"),
        Probe("famous", [row(name) for name in KNOWN], role="keep"),
        # the same picture, asked in two ways, in a probe of its own each
        Probe("scenes", SCENES, role="keep"),
        Probe("captions", [replace(one, question="Describe it.") for one in SCENES], role="keep"),
    ]
    return Benchmark("people", [row(name, 9) for name in FORGOTTEN], [row(name, 9) for name in OTHERS], probes=probes)


def subjects(found: Halves, stage: Stage, probe: str) -> list[str]:
    return sorted({one.subject or "" for held in found.probes[stage] if held.name == probe for one in held.examples})


def test_people_are_in_one_half_each_whatever_asks_about_them() -> None:
    found = halve(benchmark())
    for probe, people in (("forget_vqa", FORGOTTEN), ("retain_vqa", OTHERS), ("famous", KNOWN)):
        development, reporting = subjects(found, "development", probe), subjects(found, "reporting", probe)
        assert not {*development} & {*reporting}
        assert sorted([*development, *reporting]) == people
        assert len(reporting) - len(development) in (0, 1)  # the larger half is reported
    for stage in STAGES:
        assert subjects(found, stage, "forget_qa") == subjects(found, stage, "forget_vqa")
    assert found.people == {"development": (2, 5), "reporting": (3, 5)}
    assert not found.one_person


def test_rows_of_nobody_go_by_their_picture() -> None:
    found = halve(benchmark())
    pictures = [
        {one.image for held in found.probes[stage] if held.name in ("scenes", "captions") for one in held.examples}
        for stage in STAGES
    ]
    assert list(map(len, pictures)) == [3, 3]
    assert not pictures[0] & pictures[1]
    rows = {held.name: len(held) for held in found.probes["reporting"]}
    assert (rows["scenes"], rows["captions"]) == (3, 3)


def test_halves_are_the_same_for_the_same_people_in_any_order() -> None:
    given = benchmark()
    shuffled = [replace(p, examples=random.Random(3).sample(list(p.examples), len(p))) for p in given.probes]
    again = halve(replace(given, probes=shuffled[::-1]))
    for probe in ("forget_vqa", "retain_vqa", "famous"):
        assert subjects(again, "reporting", probe) == subjects(halve(given), "reporting", probe)
    others = {tuple(subjects(halve(given, seed), "reporting", "retain_vqa")) for seed in range(4)}
    assert len(others) > 1


def test_of_one_person_photographs_and_facts_are_halved() -> None:
    asked = [row("Ada", number, pictured=True) for number in (1, 2, 3)]
    told = [row("Ada", number, fact) for fact in ("city", "job") for number in (1, 2)]
    probes = [Probe("forget_vqa", asked, role="forget"), Probe("forget_qa", told, role="keep")]
    found = halve(Benchmark("Ada", [row("Ada", 9)], [row("Bob"), row("Cyd")], probes=probes))
    assert found.one_person
    for probe, key in (("forget_vqa", "image"), ("forget_qa", "fact")):
        sides = [
            {getattr(one, key) for held in found.probes[stage] if held.name == probe for one in held.examples}
            for stage in STAGES
        ]
        assert all(sides)
        assert not sides[0] & sides[1]


def test_what_is_too_little_to_be_halved_is_refused() -> None:
    probes = [Probe("forget_vqa", [row("Ada", 1, pictured=True)], role="forget")]
    with pytest.raises(InputError, match="too little is asked of what is to go"):
        halve(Benchmark("Ada", [row("Ada", 9)], probes=probes))
