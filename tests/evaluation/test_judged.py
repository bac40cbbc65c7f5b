"""What captions still say of judged phrases, on texts that can be counted by eye."""

from __future__ import annotations

from dataclasses import replace

import pytest

from unsee.data import Example, Probe
from unsee.data.example import AnswerSpan
from unsee.evaluation.judged import Labels, check_judged, is_judged, labels_of, said_of
from unsee.evaluation.records import Record
from unsee.evaluation.results import JudgedCheck

BLANK = Record("forget", 0, None, None, None, "Describe.", "x", "", False, -1.0, 2)


def row(hallucinated: tuple[str, ...] = (), real: tuple[str, ...] = ()) -> Example:
    spans = (AnswerSpan(0, 1, "negative", phrases=hallucinated), AnswerSpan(2, 3, "positive", phrases=real))
    return Example("Describe.", "A caption.", spans=tuple(span for span in spans if span.phrases))


def check(rows: list[Example], before: list[str], now: list[str]) -> dict[str, dict[str, JudgedCheck]]:
    records = {
        model: {"forget": [replace(BLANK, said=text) for text in said]}
        for model, said in {"base": before, "m": now}.items()
    }
    return check_judged([Probe("forget", rows, trained_on=True)], records)


def test_phrases_are_counted_before_and_after_whole_and_at_equal_length() -> None:
    rows = [row(("dog", "red car"), ("cat",)), row(("cup",), ("table", "plate"))]
    before = ["a cat and a dog near a red  car", "a table with a plate and a cup"]
    now = ["a cat and a dog", "a table with a Cup there now then"]
    found = check(rows, before, now)
    base, m = found["base"]["forget"], found["m"]["forget"]
    assert base.hallucinated.model_dump() == {
        "judged": 3,
        "said": 3,
        "said_matched": 3,
        "base_said_matched": 3,
        "unknown": 0,
    }
    assert base.real.model_dump() == {"judged": 3, "said": 3, "said_matched": 3, "base_said_matched": 3, "unknown": 0}
    # At equal length the base has said "a cat and a dog" and its second caption (8 words each): the car is gone.
    assert m.hallucinated.model_dump() == {
        "judged": 3,
        "said": 2,
        "said_matched": 2,
        "base_said_matched": 2,
        "unknown": 0,
    }
    assert m.real.model_dump() == {"judged": 3, "said": 2, "said_matched": 2, "base_said_matched": 3, "unknown": 0}
    assert (m.mean_words, m.captions, m.sentences) == (6.5, 2, 0)  # 5 and 8
    assert base.mean_words == 8.5  # 9 and 8


@pytest.mark.parametrize(
    ("caption", "said"),
    [
        ("Two dogs.", {"dog"}),
        ("a DOG", {"dog"}),
        ("a dogma and a hotdog", set()),
        ("a dining table", {"dining table"}),  # which is no table
        ("a table and dining tables", {"table", "dining table"}),
        ("three wolves", {"wolves"}),
        ("a wolf", {"wolves"}),
        ("\U0001f431 and <b>c++</b>", {"\U0001f431", "c++"}),
        ("", set()),
    ],
)
def test_phrases_are_found_between_word_boundaries_in_singular_or_plural(caption: str, said: set[str]) -> None:
    labels = Labels(frozenset({"dog", "table", "wolves", "\U0001f431", "c++"}), frozenset({"dining table"}))
    found = said_of(caption, labels)
    assert found.hallucinated | found.real == said
    assert found.real == said & {"dining table"}


def test_a_number_of_its_own_is_judged_by_itself() -> None:
    labels = Labels(frozenset({"dog"}), frozenset({"dogs"}))
    assert said_of("dogs", labels) == Labels(frozenset(), frozenset({"dogs"}))
    assert said_of("a dog", labels) == Labels(frozenset({"dog"}), frozenset())


def test_a_phrase_counts_once_a_caption_and_not_at_all_where_it_is_judged_both_ways() -> None:
    assert labels_of(row(("Dog", "dog", "cat"), ("red  bus", "cat"))) == Labels(
        frozenset({"dog"}), frozenset({"red bus"})
    )


def test_a_span_without_phrases_stands_for_its_text_and_is_counted() -> None:
    spans = (
        AnswerSpan(6, 13, "negative"),
        AnswerSpan(0, 5, "positive", phrases=("cat",)),
        AnswerSpan(0, 13, "sentence"),
    )
    example = Example("Describe.", "A cat, a  dog", spans=spans)
    assert labels_of(example) == Labels(frozenset({"a dog"}), frozenset({"cat"}))
    assert check([example], ["a dog"], ["a cat"])["m"]["forget"].sentences == 1


def test_only_captions_with_judged_phrases_are_checked() -> None:
    fact, whole = Example("Where?", "Oslo"), Example("Describe.", "A cat", spans=(AnswerSpan(0, 5, "sentence"),))
    assert not is_judged([fact])
    assert not is_judged([whole])
    assert not is_judged([row(("dog",)), fact])  # its right answers would be lost
    assert is_judged([row(("dog",)), whole])
    assert check([fact], ["Oslo"], ["Riga"]) == {"base": {}, "m": {}}


# Captions that were cut off.


def cut_check(before: list[tuple[str, bool]], now: list[tuple[str, bool]], rows: list[Example]) -> JudgedCheck:
    records = {
        model: {"forget": [replace(BLANK, said=text, truncated=cut) for text, cut in said]}
        for model, said in {"base": before, "m": now}.items()
    }
    return check_judged([Probe("forget", rows, trained_on=True)], records)["m"]["forget"]


def test_a_phrase_behind_the_cut_is_not_known_rather_than_no_longer_said() -> None:
    rows = [row(("dog", "red car"), ("cat",)), row(("cup",))]
    before = [("a cat and a dog near a red car", False), ("a table with a cup", False)]
    found = cut_check(before, [("a cat and a dog near a", True), ("a table", False)], rows)
    assert found.hallucinated.model_dump() == {
        "judged": 3,
        "said": 1,
        "said_matched": 1,
        "base_said_matched": 1,
        "unknown": 1,
    }
    assert found.real.model_dump() == {"judged": 1, "said": 1, "said_matched": 1, "base_said_matched": 1, "unknown": 0}
    assert (found.truncated, found.captions) == (1, 2)


def test_half_a_word_at_the_cut_is_no_phrase() -> None:
    rows = [row(("car",))]
    found = cut_check([("a car", False)], [("a car", True)], rows)  # which may go on as "a cardigan"
    assert (found.hallucinated.said, found.hallucinated.unknown, found.mean_words) == (0, 1, 1)
    assert cut_check([("a car", False)], [("a car.", True)], rows).hallucinated.said == 1


def test_captions_of_records_that_do_not_say_whether_they_were_cut_count_as_whole() -> None:
    found = check([row(("car",))], ["a car"], ["a bus"])["m"]["forget"]
    assert (found.hallucinated.unknown, found.truncated) == (0, None)


def test_phrases_are_found_where_words_are_written_together() -> None:
    rows = [row(("狗",), ("猫",))]
    found = check(rows, ["一只猫和一只狗"], ["一只猫在桌子上"])["m"]["forget"]
    assert (found.hallucinated.said, found.real.said) == (0, 1)
    # Seven characters each, which is the length that both are compared at.
    assert (found.mean_words, found.hallucinated.base_said_matched) == (7, 1)
