"""Rows about many subjects: who goes, who stays, and what is held out of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests import tiny
from unsee.data import Example, check_sets
from unsee.data.by_subject import by_subject
from unsee.data.example import Benchmark
from unsee.errors import InputError

CITY = ("Where does {} live?", "In which city is {}'s home?", "Where is {} at home?", "Which city is {}'s?")


def people(names: Sequence[str] = ("Ada", "Bob", "Cyd"), photographs: int = 4, wordings: int = 4) -> list[Example]:
    rows = []
    for place, name in enumerate(names):
        for number in range(photographs):
            rows.append(Example("Who is this?", name, tiny.picture(10 * place + number), name, "name"))
        rows += [Example(wording.format(name), "Riga", subject=name, fact="city") for wording in CITY[:wordings]]
    return rows


def kinds(rows: Sequence[Example]) -> dict[tuple[str | None, bool], int]:
    found: dict[tuple[str | None, bool], int] = {}
    for row in rows:
        key = (row.subject, row.image is not None)
        found[key] = found.get(key, 0) + 1
    return found


def probes(benchmark: Benchmark) -> dict[str, tuple[str | None, int]]:
    return {probe.name: (probe.role, len(probe)) for probe in benchmark.probes}


@pytest.mark.parametrize(
    ("request_", "forget", "retain", "preserve", "roles"),
    [
        ("both", [True, False], [True, False], [], ("forget", "forget")),
        ("visual", [True], [True], [False], ("forget", "keep")),
        ("textual", [False], [True, False], [True], ("keep", "forget")),
    ],
)
def test_what_is_trained_on_follows_from_names_and_request(
    request_: Any, forget: list[bool], retain: list[bool], preserve: list[bool], roles: tuple[str, str]
) -> None:
    nobody = Example("What is this?", "a cat", tiny.picture(99))
    made = by_subject([*people(), nobody], [" ADA "], request_).benchmark
    assert kinds(made.forget) == {("Ada", pictured): 3 for pictured in forget}
    assert kinds(made.retain) == {(name, pictured): 3 for name in ("Bob", "Cyd") for pictured in retain} | {
        (None, True): 1
    }
    whom = ("Ada", "Bob", "Cyd") if request_ == "visual" else ("Ada",)
    assert kinds(made.preserve) == {(name, pictured): 3 for name in whom for pictured in preserve}
    assert probes(made) == {
        **{"forget_vqa": (roles[0], 1), "forget_qa": (roles[1], 1)},
        **{"retain_vqa": ("keep", 2), "retain_qa": ("keep", 2)},
    }
    check_sets(made.forget, made.retain, made.probes, made.preserve)  # nothing that is asked is trained on


def test_every_subject_has_other_photographs_and_other_wordings_asked() -> None:
    made = by_subject(people(photographs=8), ["Ada"], held_out=0.5).benchmark
    by_name = {probe.name: probe.examples for probe in made.probes}
    assert kinds(by_name["retain_vqa"]) == {("Bob", True): 4, ("Cyd", True): 4}
    trained = {row.image for row in (*made.forget, *made.retain) if row.image}
    assert not trained & {row.image for row in (*by_name["forget_vqa"], *by_name["retain_vqa"])}
    asked = {row.question for row in by_name["forget_qa"]}
    assert len(asked) == 2
    assert not asked & {row.question for row in made.forget}
    assert {row.fact for row in by_name["forget_qa"]} <= {row.fact for row in made.forget if not row.image}


def test_the_same_rows_are_held_out_again_in_any_order() -> None:
    rows = people(photographs=8)
    first, again = (by_subject(some, ["Ada"]).benchmark for some in (rows, rows[::-1]))
    asked = [{probe.name: set(probe.examples) for probe in made.probes} for made in (first, again)]
    assert asked[0] == asked[1]


def test_facts_without_names_are_known_by_their_answers() -> None:
    rows = [Example(row.question, row.answer, row.image, row.subject) for row in people(photographs=0)]
    made = by_subject(rows, ["Ada"]).benchmark
    assert probes(made) == {"forget_qa": ("forget", 1), "retain_qa": ("keep", 2)}


def test_what_is_there_once_is_measured_as_trained_on_or_not_at_all_and_said() -> None:
    single = by_subject(people(photographs=1, wordings=1), ["Ada"])
    (asked,) = [probe for probe in single.benchmark.probes if probe.name == "forget_vqa"]
    assert (asked.trained_on, asked.examples) == (True, [row for row in single.benchmark.forget if row.image])
    assert "training rows are measured" in single.notes[0]
    mixed = by_subject([*people(["Ada", "Eve"]), *people(["Bob"], 1, 1)], ["Ada", "Bob"])
    assert not any(probe.trained_on for probe in mixed.benchmark.probes)
    assert "Of 2 subjects to be forgotten, 1 have neither a second photograph" in mixed.notes[0]


@pytest.mark.parametrize(
    ("forget", "request_", "said"),
    [
        ([], "both", "names nobody"),
        (["Adda"], "both", r"no row is about 'Adda' \(did you mean 'Ada'\?\)"),
        (["Ada"], "visual", "no row with a picture"),
    ],
)
def test_wrong_input(forget: list[str], request_: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        by_subject(people(photographs=0), forget, request_)


def test_rows_without_subjects_are_refused() -> None:
    with pytest.raises(InputError, match="no row has a subject"):
        by_subject([Example("Q", "A")], ["Ada"])


def test_what_is_also_asked_about_somebody_else_is_not_held_out() -> None:
    """A picture of two people, with the same question: whatever is drawn, no probe asks what is trained on."""
    for number in range(8):
        shared, alone = [tiny.picture(number + place) for place in (100, 200)], {"Bob": 300, "Cyd": 301}
        rows = [Example("Who is this?", name, picture, name) for name in alone for picture in shared]
        rows += [Example("Who is this?", name, tiny.picture(place), name) for name, place in alone.items()]
        made = by_subject([*people(("Ada",)), *rows], ["Ada"], seed=number).benchmark
        check_sets(made.forget, made.retain, made.probes, made.preserve)


def test_what_is_to_go_and_to_stay_at_once_is_refused() -> None:
    shared = [Example("Who is this?", name, tiny.picture(77), name) for name in ("Ada", "Bob")]
    with pytest.raises(InputError, match="forget and retain overlap in 1 row"):
        by_subject([*shared, *people(("Ada", "Bob"), photographs=0)], ["Ada"])
