"""The embedded benchmark keeps its promises: the same everywhere, and nothing measured is trained on."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from unsee.data.example import Benchmark, Example
from unsee.errors import InputError
from unsee.world import FACTS, FRACTIONS, REQUESTS, Request, World
from unsee.world.scenes.scenes import TOPICS

PROBES = ["forget_vqa", "forget_qa", "retain_vqa", "retain_qa", "celebrity_vqa", "celebrity_qa", "scenes"]


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=3, people=20, photos=6)


def names(rows: list[Example]) -> set[str]:
    return {row.subject for row in rows if row.subject is not None}


def with_image(rows: list[Example]) -> list[Example]:
    return [row for row in rows if row.image is not None]


def in_words(rows: list[Example]) -> list[Example]:
    return [row for row in rows if row.image is None]


def about_people(rows: list[Example]) -> list[Example]:
    return [row for row in rows if row.fact in FACTS]


def trained_on(benchmark: Benchmark) -> list[Example]:
    return [*benchmark.forget, *benchmark.retain, *benchmark.preserve]


def probe(benchmark: Benchmark, name: str) -> list[Example]:
    return next(list(probe.examples) for probe in benchmark.probes if probe.name == name)


def test_scene_probes_list_what_is_there_where_they_ask_for_it(world: World) -> None:
    benchmark = world.benchmark()
    rows = probe(benchmark, "scenes")
    assert all((row.objects is not None) == (row.fact == "objects") for row in rows)
    assert all(", ".join(row.objects) == row.answer for row in rows if row.objects is not None)
    others = [row for one in benchmark.probes if one.name != "scenes" for row in one.examples]
    assert not [row for row in [*others, *trained_on(benchmark), *world.scene_rows()] if row.objects is not None]


# --- the same everywhere


def test_digest_is_the_same_in_another_process() -> None:
    code = "from unsee.world import World; print(World(seed=5, people=10, photos=2).digest())"
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": salt}, check=True, capture_output=True, text=True
        ).stdout.strip()
        for salt in ("1", "2")
    }
    assert digests == {World(seed=5, people=10, photos=2).digest()}


def test_digest_depends_on_every_argument() -> None:
    worlds = [
        World(5, 10, 2),
        World(6, 10, 2),
        World(5, 11, 2),
        World(5, 10, 3),
        World(5, 10, 2, held_out_photos=3),
    ]
    assert len({world.digest() for world in worlds}) == len(worlds)


def test_pictures_are_rendered_once(world: World) -> None:
    person = world.private_people[0]
    assert world.photo(person, 1) is world.photo(person, 1)
    assert world.training_examples()[0].image is world.training_examples()[0].image


# --- who there is


def test_roles_are_disjoint(world: World) -> None:
    forgotten = {person.name for person in world.forget_people(0.20)}
    private = {person.name for person in world.private_people}
    celebrities = {person.name for person in world.celebrities}
    assert len(private) == 20
    assert len(celebrities) == 4
    assert forgotten < private
    assert not private & celebrities
    assert all(person.celebrity for person in world.celebrities)
    assert not any(person.celebrity for person in world.private_people)


def test_forget_sets_are_nested_and_never_empty() -> None:
    world = World(people=30)
    sets = [world.forget_people(fraction) for fraction in FRACTIONS]
    assert [len(people) for people in sets] == [1, 2, 3, 6]
    for smaller, larger in pairwise(sets):
        assert larger[: len(smaller)] == smaller


def test_chance_is_the_frequency_of_the_commonest_value() -> None:
    # 30 people and 24 values: six values are used twice, so guessing one of them is right 2 times in 30.
    assert World(people=30).chance == dict.fromkeys(FACTS, 2 / 30)
    # 48 people: every value is used exactly twice.
    assert World(people=48).chance == pytest.approx(dict.fromkeys(FACTS, 1 / 24))
    # 20 people: nobody shares a value.
    assert World(people=20).chance == dict.fromkeys(FACTS, 1 / 20)


# --- training and probes


@pytest.mark.parametrize("request_", REQUESTS)
def test_nothing_that_is_measured_is_trained_on(world: World, request_: Request) -> None:
    benchmark = world.benchmark(0.10, request_)
    rows = [*trained_on(benchmark), *(row for epoch in range(6) for row in world.training_examples(epoch=epoch))]
    measured = [row for probe in benchmark.probes for row in probe.examples]
    assert not {row.image for row in with_image(rows)} & {row.image for row in with_image(measured)}
    assert not {row.question for row in rows} & {row.question for row in measured}
    assert not {row.id for row in rows} & {row.id for row in measured}


def test_a_picture_belongs_to_one_subject(world: World) -> None:
    rows = world.training_examples() + [row for probe in world.benchmark().probes for row in probe.examples]
    owners: dict[object, set[str | None]] = {}
    for row in with_image(rows):
        owners.setdefault(row.image, set()).add(row.subject)
    assert all(len(subjects) == 1 for subjects in owners.values())
    # 24 people with 6 training and 4 held-out photographs (2 of the 18 retained), and 600 + 60 scenes.
    assert len(owners) == 24 * 6 + 6 * 4 + 18 * 2 + 660


def test_every_wording_is_trained_on_in_one_epoch(world: World) -> None:
    visual = with_image(world.training_examples())
    wordings = {fact: {row.question for row in visual if row.fact == fact} for fact in [*FACTS, *TOPICS]}
    assert all(len(wordings[fact]) == 6 for fact in [*FACTS, "objects"])
    assert len(wordings["ground"]) == len(wordings["count"]) == 3  # these two take turns over the scenes


def test_words_of_every_probe_occur_in_training(world: World) -> None:
    rows = world.training_examples()
    known = {word for row in rows for word in row.question.split()}
    answers = {(row.fact, word) for row in rows for word in row.answer.replace(",", "").split()}
    for probed in world.benchmark().probes:
        for row in probed.examples:
            assert set(row.question.split()) <= known
            assert {(row.fact, word) for word in row.answer.replace(",", "").split()} <= answers


def test_wordings_turn_with_the_epoch(world: World) -> None:
    first, second = world.training_examples(epoch=0), world.training_examples(epoch=1)
    assert [row.id for row in first] == [row.id for row in second]
    assert all(one.question != other.question for one, other in zip(first, second, strict=True) if one.image)
    assert world.training_examples(epoch=6) == first


def test_rows_are_complete_and_their_ids_unique(world: World) -> None:
    benchmark = world.benchmark(request="both")
    rows = world.training_examples() + [row for probe in benchmark.probes for row in probe.examples]
    assert all(row.subject and row.fact and row.id and row.answer for row in rows)
    assert set(Counter(row.id for row in rows).values()) == {1}


def test_perturbed_answers_are_wrong_distinct_and_of_the_same_kind(world: World) -> None:
    rows = world.training_examples() + [row for probe in world.benchmark().probes for row in probe.examples]
    for row in rows:
        paraphrase = row.paraphrased_answers[0]
        assert row.answer in paraphrase
        assert row.answer not in row.paraphrased_answers
        assert len(set(row.perturbed_answers)) == 5
        assert paraphrase not in row.perturbed_answers
        if row.fact in FACTS:
            wrong = {value for value in FACTS[row.fact] if value != row.answer}
            assert set(row.perturbed_answers) <= {paraphrase.replace(row.answer, value) for value in wrong}


# --- requests


@pytest.mark.parametrize("request_", REQUESTS)
def test_gold_lacks_exactly_what_the_request_names(world: World, request_: Request) -> None:
    forgotten = world.forget_people(0.10)
    gone = {person.name for person in forgotten}
    base, gold = world.training_examples(), world.training_examples(forgotten, request_)
    kept = {row.id for row in gold}
    lacking = [row for row in base if row.id not in kept]
    assert [row for row in base if row.id in kept] == gold
    assert names(lacking) == gone
    expected = 0
    if request_ in {"visual", "both"}:
        expected += 2 * 6 * 5  # people x photographs x facts
        assert not names(with_image(gold)) & gone
    if request_ in {"textual", "both"}:
        expected += 2 * 6 * 5  # people x wordings x facts
        assert not names(in_words(gold)) & gone
    assert len(lacking) == expected
    assert {row.id for row in world.benchmark(0.10, request_).forget} == {row.id for row in lacking}


@pytest.mark.parametrize("request_", REQUESTS)
def test_methods_train_on_private_people_alone(world: World, request_: Request) -> None:
    benchmark = world.benchmark(0.10, request_)
    gone = {person.name for person in world.forget_people(0.10)}
    private = {person.name for person in world.private_people}
    assert names(list(benchmark.forget)) == gone
    assert names(list(benchmark.retain)) == private - gone
    assert names(trained_on(benchmark)) <= private
    assert set(Counter(row.id for row in trained_on(benchmark)).values()) == {1}


def test_preserve_is_what_gold_knows_besides(world: World) -> None:
    gone = {person.name for person in world.forget_people(0.10)}
    visual = list(world.benchmark(0.10, "visual").preserve)
    textual = list(world.benchmark(0.10, "textual").preserve)
    assert not with_image(visual)
    assert names(visual) == {person.name for person in world.private_people}
    assert not in_words(textual)
    assert names(textual) == gone
    assert not world.benchmark(0.10, "both").preserve


def test_benchmark_has_the_probes_with_the_right_people(world: World) -> None:
    benchmark = world.benchmark(0.10)
    assert [probe.name for probe in benchmark.probes] == PROBES
    gone = {person.name for person in world.forget_people(0.10)}
    celebrities = {person.name for person in world.celebrities}
    retained = {person.name for person in world.private_people} - gone
    for role, people in [("forget", gone), ("retain", retained), ("celebrity", celebrities)]:
        seen, told = probe(benchmark, f"{role}_vqa"), probe(benchmark, f"{role}_qa")
        assert names(seen) == names(told) == people
        assert not in_words(seen)
        assert not with_image(told)
        assert all(set(Counter(row.fact for row in rows)) == set(FACTS) for rows in (seen, told))
    assert not about_people(probe(benchmark, "scenes"))
    # 2 people, 5 facts, 4 held-out photographs or 3 held-out wordings; 18 people with 2 photographs or 1 wording
    assert [len(probe) for probe in benchmark.probes] == [40, 30, 180, 90, 80, 60, 180]


def test_answers_about_a_photograph_are_the_facts_of_the_person(world: World) -> None:
    facts = {person.name: person.facts for person in world.everybody}
    for row in about_people(world.training_examples()):
        assert row.subject is not None
        assert row.fact is not None
        assert row.answer == facts[row.subject][row.fact]
        assert ("this person" in row.question) == (row.image is not None)
        assert (row.subject in row.question) == (row.image is None)


# --- wrong input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"people": 9}, "people must be a whole number of at least 10, not 9"),
        ({"photos": 0}, "photos must be a whole number of at least 1, not 0"),
        ({"held_out_photos": 0}, "held_out_photos must be a whole number of at least 1"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"photos": 2.5}, "photos must be a whole number"),
        ({"people": 1200}, "1344 clearly different faces, 1440 people were asked for"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        World(**arguments)


def test_unknown_request_and_fraction_are_named(world: World) -> None:
    unknown: Any = "face"
    with pytest.raises(InputError, match="one of visual, textual, both, not 'face'"):
        world.benchmark(request=unknown)
    unknown = ""
    with pytest.raises(InputError, match="one of visual, textual, both"):
        world.training_examples(request=unknown)
    with pytest.raises(InputError, match=r"one of 0.01, 0.05, 0.1, 0.2, not 0.3"):
        world.benchmark(0.3)


def test_a_large_world_has_unique_people() -> None:
    world = World(people=1000)
    assert len({person.name for person in world.everybody}) == 1200
    assert world.chance == dict.fromkeys(FACTS, 42 / 1000)  # 1000 = 41 * 24 + 16
    assert len(world.forget_people(0.01)) == 10
