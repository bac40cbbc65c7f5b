"""Does a model hallucinate more than its base did? On records whose numbers can be counted by eye."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from unsee.data import Example, Probe
from unsee.errors import InputError
from unsee.evaluation.hallucination import (
    FEWEST,
    check_hallucination,
    check_objects,
    check_probe,
    lexicon_of,
)
from unsee.evaluation.records import Record
from unsee.evaluation.results import CaptionCheck, YesNoCheck

BLANK = Record("p", 0, None, None, None, "What is there?", "x", "", False, -1.0, 2)


def captions(*rows: tuple[str, Sequence[str] | None]) -> list[Record]:
    """Records of (what was said, what is there)."""
    return [replace(BLANK, said=said, objects=None if there is None else tuple(there)) for said, there in rows]


def answers(expected: Sequence[str], said: Sequence[str]) -> list[Record]:
    return [replace(BLANK, expected=right, said=answer) for right, answer in zip(expected, said, strict=True)]


def caption_check(
    records: Sequence[Record], base: Sequence[Record], lexicon: Sequence[str] | None = None
) -> CaptionCheck:
    found = check_probe(records, base, lexicon)
    assert isinstance(found, CaptionCheck)
    return found


def yes_no_check(records: Sequence[Record], base: Sequence[Record]) -> YesNoCheck:
    found = check_probe(records, base)
    assert isinstance(found, YesNoCheck)
    return found


THERE = [["dog"], ["cat", "dog"]] * 6
BASE = captions(*[(f"a {there[0]}", there) for there in THERE])


def bounds(check: CaptionCheck) -> tuple[float, float]:
    """Of the change against the base."""
    low, high = check.change.low, check.change.high
    assert low is not None
    assert high is not None
    return low, high


def test_captions_are_held_against_what_is_there() -> None:
    said = captions(*[("a dog and a chair", ["dog"]), ("a cat", ["cat", "dog"])] * 6)
    found = caption_check(said, BASE)
    # 6 of 12 captions and 6 of 18 mentions are of the chair; named are 12 of the 18 objects; 5 and 2 words.
    assert found.chair_s == pytest.approx(6 / 12)
    assert found.chair_i == pytest.approx(6 / 18)
    assert found.recall == pytest.approx(12 / 18)
    assert found.mean_words == pytest.approx(3.5)
    # Cut to two words, as the base said: "a dog", "a cat".
    assert (found.chair_s_matched, found.chair_i_matched, found.base_chair_s_matched) == (0, 0, 0)
    assert found.change.score == 0
    assert not found.hallucinates_more  # longer is not more hallucinating


def test_what_is_hallucinated_at_equal_length_is_flagged() -> None:
    found = caption_check(captions(*[("a chair", there) for there in THERE]), BASE)
    assert (found.chair_s_matched, found.base_chair_s_matched, found.change.score) == (1, 0, 1)
    assert bounds(found)[0] > 0
    assert found.hallucinates_more
    assert not caption_check(BASE, BASE).hallucinates_more
    assert not caption_check(BASE, captions(*[("a chair", there) for there in THERE])).hallucinates_more


def test_few_people_of_whom_none_hallucinates_do_not_show_that_no_more_is_hallucinated() -> None:
    rows = captions(*[("a dog", ["dog"])] * 20)
    people = [replace(record, subject=f"person {n // 5}") for n, record in enumerate(rows)]  # four of five captions
    worse_before = [replace(record, said="a cat" if n < 5 else "a dog") for n, record in enumerate(people)]
    for base in (people, worse_before):
        assert bounds(caption_check(people, base))[1] > 0.10, "the margin within which no more is hallucinated"
    alone = [replace(record, subject=None) for record in rows * 2]
    assert bounds(caption_check(alone, alone))[1] < 0.10


def test_a_shorter_caption_is_compared_with_the_base_as_short() -> None:
    base = captions(*[("a dog beside a chair", ["dog"])] * 12)
    found = caption_check(captions(*[("a dog", ["dog"])] * 12), base)
    # The base hallucinates in its fifth word, which its captions cut to two words do not have: nothing was gained.
    assert (found.chair_s_matched, found.base_chair_s_matched, found.change.score) == (0, 0, 0)
    assert caption_check(base, base).chair_s == 1


@pytest.mark.parametrize("subject", ["one", None])
def test_few_pictures_prove_nothing(subject: str | None) -> None:
    number = FEWEST - 1
    base = [replace(record, subject=subject) for record in captions(*[("a dog", ["dog"])] * number)]
    found = caption_check([replace(record, said="a cat") for record in base], base)
    assert (found.change.score, found.subjects) == (1, number)
    assert bounds(found)[0] > 0
    assert not found.hallucinates_more


def test_many_rows_about_few_subjects_prove_nothing() -> None:
    base = [replace(BLANK, said="a dog", objects=("dog",), subject=f"s{number % 3}") for number in range(60)]
    found = caption_check([replace(record, said="a cat") for record in base], base)
    assert found.subjects == 3
    assert not found.hallucinates_more


def test_rows_without_objects_are_no_captions() -> None:
    mixed = [*captions(("a dog", ["dog"])), *captions(("two cats", None))]
    assert caption_check(mixed, mixed).captions == 1
    assert check_probe(captions(("a dog", None)), captions(("a dog", None))) is None


def test_an_empty_picture_makes_every_object_an_hallucination() -> None:
    assert caption_check(captions(("a dog", [])), captions(("nothing", []))).chair_s == 1


def test_cocos_names_are_used_where_they_know_every_object(tmp_path: Path) -> None:
    said = captions(("a man and a dog", ["dog"]))
    assert (caption_check(said, said).lexicon, caption_check(said, said).chair_s) == ("coco", 1)
    # An anchor is not in COCO: then nothing is an object but what the rows list.
    said = captions(("a man and an anchor", ["anchor", "Dog"]))
    assert (caption_check(said, said).lexicon, caption_check(said, said).chair_s) == ("objects", 0)
    words = tmp_path / "words.txt"
    words.write_text("anchor\nsailor, man\n")
    said = captions(("a man and an anchor", ["anchor"]))
    assert caption_check(said, said, [str(words)]).chair_s == 1
    assert caption_check(said, said, ["coco", str(words)]).chair_s == 1


@pytest.mark.parametrize(
    ("objects", "lexicon", "message"),
    [
        (
            [None, ("umbrela",)],
            ["coco"],
            "probe 'p', row 2, objects: 'umbrela' is not in the lexicon coco (did you mean 'umbrella'?); add it there",
        ),
        ([("big red fire truck",)], None, "'big red fire truck' has more than two words"),
        ([("dog",)], ["nowhere.txt"], "cannot read nowhere.txt"),
    ],
)
def test_objects_that_cannot_be_found_are_refused(
    objects: list[tuple[str, ...] | None], lexicon: list[str] | None, message: str
) -> None:
    probe = Probe("p", [Example("What is there?", "x", objects=row) for row in objects])
    with pytest.raises(InputError) as error:
        check_objects([probe], lexicon)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_name_means_the_same_in_any_case_and_spacing() -> None:
    names, label = lexicon_of([["Traffic  Light", "ANCHOR"]])
    assert label == "objects"
    assert [mention.category for mention in names.mentions("Anchors at a traffic light")] == ["anchor", "traffic light"]


def test_answers_by_yes_or_no_are_popes() -> None:
    expected = ["Yes", "yes.", "no", "No."] * 5
    said = ["Yes, there is.", "no", "yes", "I do not know."] * 5
    found = yes_no_check(answers(expected, said), answers(expected, ["yes", "yes", "no", "no"] * 5))
    # Official parser: yes, no, yes, no ("not" denies). TP 5, FN 5, FP 5, TN 5.
    assert (found.accuracy, found.precision, found.recall, found.f1) == (0.5, 0.5, 0.5, 0.5)
    assert (found.yes_ratio, found.expected_yes, found.questions) == (0.5, 0.5, 20)
    # To a reader: of ten questions to be denied five are affirmed, and five of twenty answers are neither.
    assert (found.false_yes, found.undecided) == (0.5, 0.25)
    assert found.change.score == 0.5
    assert found.hallucinates_more


def test_a_refusal_is_no_hallucination_although_the_official_parser_takes_it_for_yes() -> None:
    expected = ["yes", "no"] * 20
    found = yes_no_check(answers(expected, ["I don't know."] * 40), answers(expected, expected))
    assert (found.yes_ratio, found.undecided, found.false_yes) == (1, 1, 0)
    assert not found.hallucinates_more


def test_more_yes_where_yes_is_right_is_no_hallucination() -> None:
    expected = ["yes", "no"] * 20
    found = yes_no_check(answers(expected, expected), answers(expected, ["no"] * 40))
    assert (found.yes_ratio, found.change.score) == (0.5, 0)
    assert not found.hallucinates_more


@pytest.mark.parametrize("expected", [["yes", "yes"], ["yes", "no", "maybe"], ["a dog", "no dog"]])
def test_what_is_no_set_of_yes_or_no_questions_cannot_tell(expected: list[str]) -> None:
    assert check_probe(answers(expected, expected), answers(expected, expected)) is None


def test_numbers_are_by_model_and_probe_and_fit_for_json() -> None:
    asked = {"scenes": BASE, "people": captions(("Ada", None)), "pope": answers(["no"], ["no"])}
    found = check_hallucination({"base": asked, "npo": asked}, "base")
    assert list(found) == ["base", "npo"]
    assert list(found["base"]) == list(found["npo"]) == ["scenes", "pope"]  # people cannot tell
    written = found["npo"]["scenes"].model_dump(mode="json", exclude_unset=True)
    assert (written["kind"], written["change"]["score"], written["hallucinates_more"]) == ("captions", 0, False)
    assert found["npo"]["pope"].kind == "yes_no"
    json.dumps(written, allow_nan=False)


# Answers that were cut off.


def test_half_a_word_at_a_cut_names_no_object_and_the_share_of_cut_captions_is_told() -> None:
    said = [replace(row, said="a dog and a car", truncated=place < 3) for place, row in enumerate(BASE)]  # a carpet?
    found = caption_check(said, BASE)
    assert (found.chair_s, found.truncated) == (9 / 12, 3 / 12)
    assert caption_check(captions(("a dog", ["dog"])), captions(("a dog", ["dog"]))).truncated is None


def test_the_share_of_cut_yes_no_answers_is_told() -> None:
    said = [replace(row, truncated=place == 0) for place, row in enumerate(answers(["yes", "no"], ["Well,", "no"]))]
    assert yes_no_check(said, said).truncated == 1 / 2
