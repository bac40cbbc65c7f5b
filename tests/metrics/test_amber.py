"""AMBER, against responses and answers worked out by hand."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unsee.errors import InputError
from unsee.metrics.amber import Amber, amber, amber_score, dimension, discriminative
from unsee.metrics.amber_words import Vocabulary, parse_relations
from unsee.metrics.pope import YesNo

RELATIONS: dict[str, Any] = {
    "sky": [],
    "cloud": [],
    "dog": [],
    "bird": [],
    "person": ["people", "individual", "man", "woman"],
    "woman": ["person", "people"],
    "man": ["person", "people"],
    "forest": ["tree", "leave"],
    "tree": ["forest", "leave"],
    "car": ["vehicle", "tire"],
    "lake": ["water"],
    "can": [],
    "hot": [],
    "board": ["sign"],
    "sign": ["signal"],
    "television": ["TV", "screen"],
    "sunglasses": [],
    "e-book": ["Note  book"],
    "train": ["track"],
}


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return parse_relations(RELATIONS)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("A dog looks at the Sky. Two DOGS, and a dog's tail.", ["dog", "sky", "dog", "dog"]),
        ("People and a woman beside trees with leaves", ["people", "woman", "tree", "leave"]),
        ("A TV, sunglasses, an e-book and a note book", ["tv", "sunglasses", "e-book", "note book"]),
        ("The cars' tires; vehicles on the carpet of a doghouse", ["car", "tire", "vehicle"]),
        ("A car can be seen, and one can see people who board it.", ["car", "people"]),
        ("People board, others eagerly board; there are wooden boards.", ["people", "board"]),
        ("Tourists about to board, next to a trash can, a can and cans.", ["can", "can", "can"]),
        ("Next to boards and to trees, a board leaves no doubt.", ["board", "tree", "board", "leave"]),
        ("It is hot beside the train tracks.", []),
        ("", []),
        ("🙂 <b>dog</b> ###", ["dog"]),
    ],
)
def test_words_of_a_response(vocabulary: Vocabulary, response: str, expected: list[str]) -> None:
    assert vocabulary.words(response) == expected


@pytest.mark.parametrize(
    ("word", "objects", "expected"),
    [
        ("tree", ["forest", "tree"], "tree"),  # its own name comes first
        ("leave", ["tree", "forest"], "tree"),  # then the first that lists it
        ("people", ["sky", "woman"], "woman"),
        ("woman", ["man"], None),
        ("cloud", ["sky"], None),
        ("sky", [], None),
    ],
)
def test_which_object_a_word_stands_for(
    vocabulary: Vocabulary, word: str, objects: list[str], expected: str | None
) -> None:
    assert vocabulary.object_of(word, objects) == expected


def test_similar_words_are_a_last_resort(vocabulary: Vocabulary) -> None:
    asked = []

    def similar(word: str, other: str) -> bool:
        asked.append(other)
        return other in ("vehicle", "water")

    assert vocabulary.object_of("bird", ["sky", "car", "lake"], similar) == "car"
    assert asked == ["sky", "car", "vehicle"]  # names, then associated words
    assert vocabulary.object_of("bird", ["sky", "dog"], similar) is None
    asked.clear()
    assert vocabulary.object_of("lake", ["car", "lake"], similar) == "lake"
    assert asked == []


def scored(vocabulary: Vocabulary, *rows: tuple[str, list[str], list[str]], **options: Any) -> Amber:
    words = [vocabulary.words(response) for response, _, _ in rows]
    return amber(words, [truth for _, truth, _ in rows], [targets for _, _, targets in rows], vocabulary, **options)


def test_rates_by_hand(vocabulary: Vocabulary) -> None:
    # 1: dog, dog, people, cloud, bird, tree: cloud, bird and tree are hallucinated, of which cloud is a target;
    #    dog and person are covered, lake is not
    # 2: sky, water: both there, 2 of 2 covered, no target named
    # 3: nothing named, 1 object
    result = scored(
        vocabulary,
        ("A dog, a dog and people under a cloud with a bird and a tree.", ["dog", "person", "lake"], ["cloud", "car"]),
        ("Sky above the water", ["sky", "lake"], ["bird"]),
        ("", ["sign"], []),
    )
    assert result == Amber(
        responses=3,
        hallucinated_responses=1,
        mentions=8,
        hallucinated_mentions=3,
        target_mentions=1,
        objects=6,
        named_objects=4,
        targets=3,
        named_targets=1,
    )
    assert result.chair == 3 / 8
    assert result.cover == pytest.approx(4 / 6, abs=1e-15)
    assert result.hal == pytest.approx(1 / 3, abs=1e-15)
    assert result.cog == 1 / 8
    assert result.cog_repo == pytest.approx(1 / 3, abs=1e-15)


def test_mentions_repeat_and_annotated_objects_do_not(vocabulary: Vocabulary) -> None:
    # 3 of 4 mentions are of the hallucinated bird; "dog" is annotated twice and counts once, and so does the target
    result = scored(vocabulary, ("Bird, bird, bird, dog", ["dog", "dog"], ["bird", "bird"]))
    assert (result.chair, result.cover, result.cog, result.cog_repo) == (0.75, 1.0, 0.75, 1.0)


def test_what_is_there_is_no_target_and_words_associated_with_it_are_not_hallucinated(vocabulary: Vocabulary) -> None:
    result = scored(vocabulary, ("A tree and leaves", ["tree"], ["tree", "forest"]))
    assert (result.chair, result.cog, result.hal) == (0.0, 0.0, 0.0)
    # the other way round a woman is no man, though "person" may stand for either
    result = scored(vocabulary, ("A woman, a person", ["man"], ["woman"]))
    assert (result.chair, result.cover, result.cog) == (0.5, 1.0, 0.5)


def test_targets_are_recognised_by_associated_words(vocabulary: Vocabulary) -> None:
    result = scored(vocabulary, ("Vehicles and a bird", ["sky"], ["car"]))  # 2 hallucinated, one of them a target
    assert (result.chair, result.cog, result.cog_repo, result.cover) == (1.0, 0.5, 1.0, 0.0)


def test_safe_words_are_never_hallucinated_and_still_cover(vocabulary: Vocabulary) -> None:
    rows: list[tuple[str, list[str], list[str]]] = [("A sign and a dog", ["dog"], ["sign"]), ("A sign", ["sign"], [])]
    result = scored(vocabulary, *rows, safe={"sign"})
    assert (result.mentions, result.chair, result.hal, result.cog, result.cover) == (3, 0.0, 0.0, 0.0, 1.0)
    result = scored(vocabulary, *rows)
    assert [result.chair, result.hal, result.cog] == [pytest.approx(1 / 3), 0.5, pytest.approx(1 / 3)]


def test_similar_words_are_forgiven(vocabulary: Vocabulary) -> None:
    row = "A bird and a car", ["dog"], ["car"]
    assert scored(vocabulary, row).chair == 1.0
    result = scored(vocabulary, row, similar=lambda word, other: (word, other) == ("bird", "dog"))
    assert (result.chair, result.cover, result.cog) == (0.5, 1.0, 0.5)


def test_silence(vocabulary: Vocabulary) -> None:
    nothing = scored(vocabulary)
    assert (nothing.responses, nothing.chair, nothing.cog) == (0, 0.0, 0.0)
    assert all(math.isnan(rate) for rate in (nothing.cover, nothing.hal, nothing.cog_repo))
    silent = scored(vocabulary, ("", ["dog"], ["bird"]), ("Nothing here.", [], []))
    assert (silent.chair, silent.cover, silent.hal, silent.cog, silent.cog_repo) == (0.0, 0.0, 0.0, 0.0, 0.0)
    empty = scored(vocabulary, ("A dog", [], []))  # no annotated object: all is hallucinated, and Cover is no number
    assert (empty.chair, empty.hal) == (1.0, 1.0)
    assert math.isnan(empty.cover)
    with pytest.raises(ValueError, match="1 responses but objects of 0 and targets of 1"):
        amber([["dog"]], [], [[]], vocabulary)
    with pytest.raises(KeyError, match="unicorn"):
        amber([["dog"]], [["unicorn"]], [[]], vocabulary)


NAMES = st.lists(st.sampled_from(sorted(parse_relations(RELATIONS).associated)), max_size=4)


@given(st.lists(st.tuples(NAMES, NAMES, NAMES), max_size=5))
def test_rates_lie_between_zero_and_one(rows: list[tuple[list[str], list[str], list[str]]]) -> None:
    words, truth, targets = ([row[at] for row in rows] for at in range(3))
    result = amber(words, truth, targets, parse_relations(RELATIONS))
    for rate in (result.chair, result.cover, result.hal, result.cog, result.cog_repo):
        assert math.isnan(rate) or 0 <= rate <= 1
    assert result.cog <= result.chair
    assert (result.hal > 0) == (result.chair > 0) or not rows


def test_no_is_the_positive_class() -> None:
    # to be denied: 3, of which 2 are; no is said 3 times; right: 2 no and 1 yes of 5
    answers: list[YesNo | None] = ["no", "no", "yes", "no", "yes"]
    result = discriminative(answers, ["no", "no", "no", "yes", "yes"])
    assert result.n == 5
    assert result.accuracy == 0.6
    assert result.precision == pytest.approx(2 / 3, abs=1e-15)
    assert result.recall == pytest.approx(2 / 3, abs=1e-15)
    assert result.f1 == pytest.approx(2 / 3, abs=1e-15)  # 4 / (3 + 3)
    always_yes = discriminative(["yes"] * 4, ["yes", "yes", "yes", "no"])
    assert (always_yes.accuracy, always_yes.recall, always_yes.f1) == (0.75, 0.0, 0.0)
    assert math.isnan(always_yes.precision)


def test_undecided_answers_are_wrong_and_stay_in_the_count() -> None:
    # the only no is right; the undecided one misses the second question to be denied: F1 = 2 / (1 + 2)
    result = discriminative([None, "no", None], ["no", "no", "yes"])
    assert [result.accuracy, result.precision, result.recall] == [pytest.approx(1 / 3), 1.0, 0.5]
    assert result.f1 == pytest.approx(2 / 3, abs=1e-15)


def test_no_questions() -> None:
    result = discriminative([], [])
    assert all(math.isnan(rate) for rate in (result.accuracy, result.precision, result.recall, result.f1))
    assert math.isnan(discriminative(["yes"], ["yes"]).f1)
    with pytest.raises(ValueError, match="1 answers to 2 questions"):
        discriminative(["yes"], ["yes", "no"])


def test_amber_score() -> None:
    assert amber_score(0.08, 0.75) == pytest.approx(0.835, abs=1e-15)  # (100 - 8 + 75) / 2 per cent
    assert math.isnan(amber_score(0.1, math.nan))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("discriminative-hallucination", "existence"),
        ("discriminative-attribute-state", "attribute"),
        ("discriminative-attribute-number", "attribute"),
        ("discriminative-attribute-action", "attribute"),
        ("discriminative-relation", "relation"),
        ("relation", "relation"),  # as the file calls the ones to be denied
        ("generative", None),
        ("", None),
    ],
)
def test_dimensions(kind: str, expected: str | None) -> None:
    assert dimension(kind) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "must be one JSON object"),
        ({}, "must be one JSON object"),
        ({"dog": "puppy"}, "'dog' has no list of words"),
        ({"dog": [1]}, "'dog' has no list of words"),
    ],
)
def test_broken_relations(content: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"r.json: {message}"):
        parse_relations(json.loads(json.dumps(content)), "r.json")
