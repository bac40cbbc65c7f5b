"""Object phrases: exact places, every occurrence, whole words, nothing twice."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unsee.errors import InputError
from unsee.metrics.lexicon import Extraction, lexicon, locate

COCO = lexicon()


def named(extraction: Extraction) -> list[str]:
    return [phrase.text for phrase in extraction.phrases]


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A bowl of vegetables on a table.", ["bowl", "table"]),  # no table in vegetables
        ("A man wearing a scarf, next to a car.", ["man", "car"]),  # no car in scarf
        ("Two dogs, a hot dog and some hot, dog-tired DOGS", ["dogs", "hot dog", "dog", "DOGS"]),
        ("wine glasses and a glass of wine", ["wine glasses"]),  # the longest name; a glass alone is none of COCO's
        ("knives, mice, buses, children, people, sheep", ["knives", "mice", "buses", "children", "people", "sheep"]),
        ("a teddy bear near a bear", ["teddy bear", "bear"]),
        ("the train tracks by a train station", []),
        ("a hair\n  dryer", ["hair\n  dryer"]),
        ("the cat's hot-dog", ["cat", "hot-dog"]),
        ("cat_dog catdog cat2", []),
        ("", []),
    ],
)
def test_lexicon_finds_names_in_singular_and_plural(caption: str, expected: list[str]) -> None:
    assert named(COCO.extract([caption])[0]) == expected


def test_every_coco_category_is_found_by_its_own_name() -> None:
    names = [
        "person", "traffic light", "fire hydrant", "stop sign", "parking meter", "sports ball", "baseball bat",
        "tennis racket", "potted plant", "dining table", "cell phone", "teddy bear", "hair drier", "toothbrush",
    ]  # fmt: skip
    for name in names:
        assert named(COCO.extract([f"There is a {name} here."])[0]) == [name]


def test_user_lists_add_to_coco_or_stand_alone(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("theremin, ether phone\ncircular saw\n")
    caption = "Two theremins and a cat by circular saws"
    assert named(lexicon([tmp_path / "own.txt"]).extract([caption])[0]) == ["theremins", "circular saws"]
    assert named(lexicon(["coco", tmp_path / "own.txt"]).extract([caption])[0]) == ["theremins", "cat", "circular saws"]
    with pytest.raises(InputError, match=r"none\.txt"):
        lexicon([tmp_path / "none.txt"])


PIECES = ["cat", "Cats", "hot", "dog", " ", ", ", "-", " ### ", "\U0001f431", "<b>", "\n", "e\u0301", "(", "."]
TEXTS = st.lists(st.sampled_from(PIECES)).map("".join)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_places_are_exact_whole_words_and_do_not_overlap(caption: str) -> None:
    for extraction in (COCO.extract([caption])[0], locate(caption, ["cat", "hot dog", "dog", "hot", "("])):
        for phrase in extraction.phrases:
            assert caption[phrase.start : phrase.end] == phrase.text
            for outside in (caption[phrase.start - 1 : phrase.start], caption[phrase.end : phrase.end + 1]):
                assert not outside.isalnum()
        assert all(left.end <= right.start for left, right in pairwise(extraction.phrases))


def test_a_caption_of_ten_thousand_characters_is_searched_to_its_end() -> None:
    caption = "<b> ### \U0001f600 a cat " * 625
    assert len(caption) == 10_000
    found = COCO.extract([caption])[0].phrases
    assert len(found) == 625
    assert caption[found[-1].start :] == "cat "


def test_every_occurrence_is_located_and_what_is_missing_is_counted() -> None:
    found = locate("A red cat, a cat (big) and a Red  Cat", ["red cat", "Cat", "(big)", "unicorn", "ca", " "])
    assert [(phrase.start, phrase.text) for phrase in found.phrases] == [
        (2, "red cat"),
        (13, "cat"),
        (17, "(big)"),
        (29, "Red  Cat"),
    ]
    assert found.dropped == 2  # unicorn, and ca, which is no word of its own


def test_names_are_found_where_words_are_written_together(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("狗\n自行车, 单车\nแมว\n", encoding="utf-8")
    found = lexicon([tmp_path / "names.txt"]).extract(["一只狗在自行车旁边", "มีแมวดำ", "a dog"])
    assert [named(one) for one in found] == [["狗", "自行车"], ["แมว"], []]
    assert named(locate("一只狗在自行车旁边", ["自行车", "车", "猫"])) == ["自行车"]
