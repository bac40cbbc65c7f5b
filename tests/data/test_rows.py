"""Every layout that is understood, and every row that is not."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from tests.data.conftest import png, refused
from unsee.data import Example
from unsee.data.example import AnswerSpan
from unsee.data.rows import Row
from unsee.errors import InputError

ASKED = {"question": "Who is this?", "answer": "Ada"}
EXPECTED = Example("Who is this?", "Ada", image=png())
USER = {"role": "user", "content": "Who is this?"}
USER_PARTS = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Who is this?"}]}
ADA = {"role": "assistant", "content": [{"type": "text", "text": "Ada"}]}


def row(**values: Any) -> Row:
    return Row(values, "forget.jsonl, row 3", Path("/data"))


@pytest.mark.parametrize(
    "values",
    [
        {**ASKED, "image": png()},
        {**ASKED, "images": [png()]},
        {**ASKED, "image": {"bytes": png(), "path": "face.png"}},
        {"prompt": "Who is this?", "completion": " Ada", "image": png()},
        {"prompt": [USER], "completion": [ADA], "images": [png()]},
        {"prompt": [USER_PARTS], "completion": "Ada", "images": [png()]},
        {"messages": [USER, ADA], "image": png()},
        {"messages": [USER_PARTS, ADA], "images": [{"bytes": png(), "path": None}]},
        # As Parquet gives it back: every part has every key.
        {"messages": [{"role": "user", "content": [{"type": "image", "text": None}, {"type": "text", "text": "Who "},
                       {"type": "text", "text": "is this?"}]}, ADA], "images": [png()]},
    ],
)  # fmt: skip
def test_every_layout_says_the_same(values: dict[str, Any]) -> None:
    assert row(**values).example() == EXPECTED


@pytest.mark.parametrize(
    "values",
    [
        {"question": " Who is this?\n", "answer": " Ada "},
        {"prompt": "Who is this? ", "completion": " Ada"},
        {"prompt": [{"role": "user", "content": " Who is this?"}], "completion": [{**ADA, "name": None}]},
        {
            "messages": [
                {"role": "user", "content": "\tWho is this?\u2028"},
                {"role": "assistant", "content": "Ada\n\n"},
            ]
        },
        {"conversations": [{"from": "human", "value": "<image>\nWho is this?"}, {"from": "gpt", "value": "Ada\n"}]},
        {"conversations": [{"from": "human", "value": "Who is this?\n<image>"}, {"from": "gpt", "value": " Ada"}]},
        {"conversations": [{"from": "user", "value": "Who is this? "}, {"from": "assistant", "value": "Ada"}]},
        {"instruction": "Who is this?\n", "input": "", "output": " Ada", "system": None, "history": []},
        {"question": " Who is this?", "caption": "  Ada ", "spans": []},
        # Of data sets that were joined, one has nulls where the other has values.
        {"question": None, "answer": None, "messages": [USER, ADA]},
        {**ASKED, "messages": None, "prompt": "", "image_2": None, "tools": []},
    ],
)
def test_what_a_row_means_does_not_depend_on_how_it_is_written(values: dict[str, Any]) -> None:
    assert row(**values, image=png()).example() == EXPECTED


def test_alternatives_are_written_like_the_answer() -> None:
    example = row(
        **ASKED, perturbed_answers=[" Bob"], paraphrased_answers=["Ada L.\n"], choices=["Ada ", "Bob"]
    ).example()
    assert example.perturbed_answers == ("Bob",)
    assert example.paraphrased_answers == ("Ada L.",)
    assert example.choices == ("Ada", "Bob")


def test_the_input_of_an_instruction_is_asked_with_it() -> None:
    values = {"instruction": "Translate.\n", "input": "chat", "output": "cat"}
    assert row(**values).example() == Example("Translate.\nchat", "cat")


def test_spans_stand_where_they_stood_when_white_space_is_taken_off() -> None:
    spans = [
        {"start": 2, "end": 5, "role": "positive", "score": 1.0},
        {"start": 0, "end": 9, "role": "negative", "score": 0},
    ]
    example = row(question="What?", caption="  Ada, Bob \n", spans=spans).example()
    assert [example.answer[span.start : span.end] for span in example.spans] == ["Ada", "Ada, Bo"]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"messages": [USER, ADA]}, "messages beside question and answer; a row is one question and one answer, keep"),
        ({"prompt": "Who?"}, "prompt beside question and answer"),
        ({"conversations": [{"from": "human", "value": "x"}]}, "conversations beside question and answer"),
        ({"instruction": "Who?", "output": "Bob"}, "instruction beside question and answer"),
        ({"caption": "A cat", "spans": [{}]}, "spans beside question and answer"),
        ({"system": "Be brief."}, "system: not supported, and leaving it out would change what is asked"),
        ({"history": [["a", "b"]]}, "history: not supported"),
        ({"tools": [{"name": "search"}]}, "tools: not supported"),
        ({"context": "Ada was born"}, "context: not supported"),
        ({"input": "x"}, "input: not supported"),
        ({"image": b"1", "image2": "b.png"}, "image2: a further picture; an example has one at most, under image"),
        ({"image": b"1", "images_2": ["b.png"]}, "unknown column 'images_2'; did you mean 'images'?"),
        ({"image": b"1", "mask": {"bytes": b"1", "path": None}}, "mask: a further picture"),
        ({"image": b"1", "thumbnail": b"1"}, "thumbnail: a further picture"),
    ],
)  # fmt: skip
def test_nothing_of_a_row_is_dropped_in_silence(values: dict[str, Any], problem: str) -> None:
    message = refused(row(**ASKED, **values).example)
    assert message.startswith("forget.jsonl, row 3: ")
    assert problem in message


@pytest.mark.parametrize("nothing", [{}, {"image": None}, {"images": []}, {"images": None}])
def test_a_question_in_words_alone(nothing: dict[str, Any]) -> None:
    assert row(**ASKED, **nothing).example() == Example("Who is this?", "Ada")


def test_optional_keys_arrive() -> None:
    extra = {"subject": "Ada", "fact": "name", "id": 7, "difficulty": "hard", "paraphrased_answers": ["Ada L."]}
    example = row(**ASKED, **extra, perturbed_answers=["Bob"], choices=["Bob", "Ada"], answer_keywords=["Ad"]).example()
    assert (example.subject, example.fact, example.id) == ("Ada", "name", "7")
    assert example.paraphrased_answers == ("Ada L.",)
    assert example.perturbed_answers == ("Bob",)
    assert example.choices == ("Bob", "Ada")
    assert example.answer_keywords == ("Ad",)
    assert example.objects is None


def test_an_empty_list_of_objects_is_not_an_unknown_one() -> None:
    assert row(**ASKED, objects=["dog", "wine glass"]).example().objects == ("dog", "wine glass")
    assert row(**ASKED, objects=[]).example().objects == ()
    assert row(**ASKED, objects=None).example().objects is None


def test_optional_keys_may_be_null() -> None:
    nulls = dict.fromkeys(("subject", "fact", "id", "paraphrased_answers", "perturbed_answers", "choices"))
    assert row(**ASKED, **nulls).example() == Example("Who is this?", "Ada")


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"answer": "a"}, "no question beside answer; columns found: answer"),
        ({"queston": "q", "answer": "a"}, "(is 'queston' meant to be 'question'?)"),
        ({"Question": "q", "Answer": "a"}, "(is 'Question' meant to be 'question'?)"),
        ({"prompt": "q", "chosen": "a", "rejected": "b"}, "no completion beside prompt"),
        ({"text": "q"}, "understood: question + answer, prompt + completion, or messages, each with image"),
        ({"conversation": []}, "no known layout (is 'conversation' meant to be 'conversations'?)"),
        ({}, "columns found: none"),
        ({**ASKED, "perturbed_answer": ["b"]}, "did you mean 'perturbed_answers'? Rename or remove it"),
        ({**ASKED, "Image": "a.png"}, "did you mean 'image'?"),
        ({**ASKED, "image_path": "a.png"}, "column 'image_path' but no image; rename it, or add image: null"),
        ({**ASKED, "img": "a.png"}, "column 'img' but no image"),
        ({"new\nline\u2028": 1}, "columns found: new line"),
    ],
)
def test_unknown_columns_are_not_guessed(values: dict[str, Any], problem: str) -> None:
    message = refused(row(**values).example)
    assert message.startswith("forget.jsonl, row 3: ")
    assert problem in message


def test_other_columns_are_left_alone() -> None:
    assert row(**ASKED, idx=3, language="en", image=None, image_id="x").example() == Example("Who is this?", "Ada")


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"question": ""}, "question: empty; it needs some text"),
        ({"question": " \n"}, "question: empty"),
        ({"answer": ""}, "answer: empty"),
        ({"question": None}, "question: null where a string is expected"),
        ({"answer": 1867}, "answer: a number where a string is expected"),
        ({"answer": ["a"]}, "answer: a list where a string is expected"),
        ({"answer": "half \ud83d"}, "answer: half a surrogate pair at character 6"),
        ({"subject": ["a"]}, "subject: a list where a string is expected"),
        ({"id": True}, "id: true or false where a string is expected"),
        ({"choices": "Ada"}, "choices: a string where a list of strings is expected"),
        ({"choices": ["Ada", 3]}, "choices: a number where a string is expected"),
        ({"choices": ["Bob", "Cy"]}, "choices: the answer 'Ada' is not among them"),
        ({"perturbed_answers": [""]}, "perturbed_answers: empty"),
        ({"image": 3}, "image: a number where a path or the bytes of a picture are expected"),
        ({"image": ""}, "image: an empty path; give the path of a picture, or null for none"),
        ({"image": "nope.png"}, "image: no such file: /data/nope.png; a relative path starts at /data"),
        ({"image": "/nope.png"}, "image: no such file: /nope.png"),
        ({"image": "a\0b.png"}, "image: no such file"),
        ({"image": "x" * 5000}, "image: "),
        ({"image": "https://x.org/a.png"}, "image: 'https://x.org/a.png' is a URL; nothing is fetched"),
        ({"image": "HTTP://x.org/a.png"}, "download it and give its path"),
        ({"image": "zip://a.png::b.zip"}, "is a URL"),
        ({"image": "data:image/png;base64,AAAA"}, "is a URL"),
        ({"image": {}}, "image: neither bytes nor path"),
        ({"image": {"bytes": None, "path": None}}, "give one, or null for no picture"),
        ({"image": {"bytes": "AAAA", "path": None}}, "image: no such file"),
        ({"images": [b"1", b"2"]}, "images: 2 pictures; an example has one at most, so split the row"),
        ({"images": [None]}, "images: a list of null; give a picture, or null or an empty list for none"),
        ({"images": [{"bytes": None, "path": None}]}, "images: neither bytes nor path"),
        ({"images": [""]}, "images: an empty path"),
        ({"images": "a.png"}, "images: a string where a list is expected; a single picture goes under image"),
        ({"image": b"1", "images": [b"1"]}, "images: given beside image; keep one of the two"),
    ],
)
def test_bad_values_are_named(values: dict[str, Any], problem: str) -> None:
    message = refused(row(**{**ASKED, **values}).example)
    assert message.startswith("forget.jsonl, row 3, ")
    assert problem in message


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"messages": [{"role": "system", "content": "x"}, USER, ADA]}, "messages: a system turn; supported is one"),
        ({"messages": [USER, ADA, USER, ADA]}, "turns of user, assistant, user, assistant; supported is one user turn"),
        ({"messages": [USER]}, "messages: turns of user; supported is"),
        ({"messages": [ADA, USER]}, "messages: turns of assistant, user"),
        ({"messages": []}, "messages: turns of nobody"),
        ({"messages": "hello"}, "messages: str where a list of turns with role and content is expected"),
        ({"messages": [USER, {"role": "assistant", "content": None}]}, "messages: content is NoneType"),
        ({"messages": [USER, {"role": "assistant", "content": ""}]}, "messages: empty"),
        ({"messages": [USER_PARTS, ADA]}, "messages: an image placeholder, but the row has no picture; put it"),
        ({"messages": [USER, {"role": "assistant", "content": [{"type": "image"}]}]}, "messages: empty"),
        ({"prompt": [USER, ADA], "completion": "x"}, "prompt: turns of user, assistant; supported is one user turn"),
        ({"prompt": "x", "completion": [USER]}, "completion: turns of user; supported is one assistant turn"),
        ({"prompt": 3, "completion": "x"}, "prompt: int where a list of turns"),
        ({"prompt": " ", "completion": "x"}, "prompt: empty"),
        ({"prompt": [{"role": "user", "content": [{"type": "video"}]}], "completion": "x"}, "a part of type 'video'"),
        ({"prompt": [{"role": "user", "content": ["x"]}], "completion": "x"}, "a part of type 'str'"),
        ({"prompt": [{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "image", "path": "a.png"}]}],
          "completion": "x"}, "a picture inside a turn; put it under image"),
        ({"prompt": [{"role": "user", "content": [{"type": "text", "text": "Who is"}, {"type": "image"}]}],
          "completion": "x", "image": b"1"}, "a picture behind words; it comes first, so write the words behind it"),
        ({"prompt": [{"role": "user", "content": [{"type": "text", "text": "x", "audio": "a.wav"}]}],
          "completion": "x"}, "prompt: a part with 'audio', which would be lost; supported is type and text"),
        ({"messages": [USER, {**ADA, "tool_calls": [{}]}]}, "a turn with 'tool_calls', which would be lost"),
        ({"conversations": []}, "conversations: turns of nobody; supported is one user turn"),
        ({"conversations": "x"}, "conversations: str where a list of turns"),
        ({"conversations": [{"from": "system", "value": "x"}]}, "conversations: a system turn"),
        ({"conversations": [{"from": "human", "value": "x"}, {"from": "gpt", "value": "y"}] * 2}, "user, assistant"),
        ({"conversations": [{"from": "bing", "value": "x"}]}, "a turn of from, value; from and value expected"),
        ({"conversations": [{"role": "user", "content": "x"}]}, "a turn of role, content; from and value expected"),
        ({"conversations": [{"from": "human", "value": "<image>x"}, {"from": "gpt", "value": "y"}]}, "has no picture"),
        ({"conversations": [{"from": "human", "value": "Is <image> Ada?"}, {"from": "gpt", "value": "y"}],
          "image": b"1"}, "conversations: a picture between words; it comes first"),
        ({"conversations": [{"from": "human", "value": "x"}, {"from": "gpt", "value": "<image>"}]}, "in the answer"),
        ({"instruction": "x", "input": 3, "output": "y"}, "input: int where a string is expected"),
        ({"instruction": "x", "output": 3}, "output: a number where a string is expected"),
        ({"prompt": [{"role": "user", "content": [{"type": "image"}] * 2 + [{"type": "text", "text": "x"}]}],
          "completion": "x", "image": b"1"}, "2 image placeholders; an example has one picture at most"),
    ],
)  # fmt: skip
def test_conversations_that_are_not_one_question_and_answer(values: dict[str, Any], problem: str) -> None:
    message = refused(row(**values).example)
    assert message.startswith("forget.jsonl, row 3, ")
    assert problem in message


def test_an_image_in_the_answer_is_refused() -> None:
    answer = {"role": "assistant", "content": [{"type": "text", "text": "x"}, {"type": "image"}]}
    assert "an image in the answer; answers are text" in refused(row(messages=[USER, answer]).example)


SPANS = {
    "question": "Describe the image.",
    "caption": "A cat, and a dog on a sofa.",
    "image": None,
    "unit": "cosine_100",
    "spans": [
        {"start": 0, "end": 5, "role": "positive", "weight": 2, "score": 33.4, "phrases": ["cat"]},
        {"start": 6, "end": 26, "role": "negative", "score": 21.9},
    ],
    "sentence": {"role": "positive", "score": 27.65, "lowest": 21.9},
}


def test_captions_with_spans_as_mining_writes_them() -> None:
    example = Row(SPANS, "spans.jsonl, row 1", Path()).example()
    assert (example.question, example.answer) == (SPANS["question"], SPANS["caption"])
    assert example.spans == (
        AnswerSpan(0, 5, "positive", 2.0, 33.4, ("cat",)),
        AnswerSpan(6, 26, "negative", 1.0, 21.9),
        AnswerSpan(0, 27, "sentence", 1.0, 27.65),
    )
    to_unlearn = {**SPANS, "spans": [], "sentence": {"role": "negative", "score": 20.0}}
    assert Row(to_unlearn, "row 1", Path()).example().spans == (AnswerSpan(0, 27, "negative", 1.0, 20.0),)


@pytest.mark.parametrize(
    ("spans", "problem"),
    [
        ("A cat", "spans: a string where a list is expected"),
        ([{"start": 0, "end": 99, "role": "positive"}], r"number 1: \[0, 99\) is no range of its caption of 27"),
        ([{"start": 0, "end": 5, "role": "bad"}], "number 1: role 'bad'; it is positive or negative"),
        (
            [{"start": 0, "end": 5, "role": "negative", "weight": "x", "score": 1.0}],
            "number 1: weight 'x' where a number is expected",
        ),
        ([{"start": 0, "end": 5, "role": "negative"}], "number 1: score None where a number is expected"),
        (
            [{"start": 0, "end": 5, "role": "negative", "score": 1.0, "phrases": "cat"}],
            "number 1: phrases 'cat' where a list of strings is expected",
        ),
        ([{"start": 5, "end": 5, "role": "negative", "score": 1.0}], r"number 1: \[5, 5\) is no range"),
        ([{"start": 1, "end": 2, "role": "negative", "score": 1.0}], r"number 1: \[1, 2\) holds white space alone"),
        ([{"start": True, "end": 5, "role": "negative", "score": 1.0}], r"number 1: \[True, 5\) is no range"),
        ([{"start": 0, "end": 5, "role": ["negative"], "score": 1.0}], r"role \['negative'\]; it is positive"),
        ([{"start": 0, "end": 5, "role": "negative", "score": 10**400}], "where a number is expected"),
        ([{"start": 0, "end": 5, "role": "negative", "score": math.nan}], "score nan where a number is expected"),
    ],
)
def test_bad_spans_are_named(spans: object, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        Row({**SPANS, "spans": spans}, "row 1", Path()).example()


@pytest.mark.parametrize(
    ("sentence", "problem"),
    [
        ({"role": "positive", "score": math.nan}, "sentence: score nan where a number is expected"),
        ({"role": "positive", "score": "high"}, "sentence: score 'high' where a number is expected"),
        ({"role": "positive", "score": True}, "sentence: score True where a number is expected"),
        ({"role": True}, "sentence: role True; it is positive, negative or null"),
        ([1], "sentence: role 'no object'"),
    ],
)
def test_a_bad_sentence_is_named(sentence: object, problem: str) -> None:
    assert problem in refused(Row({**SPANS, "sentence": sentence}, "row 1", Path()).example)


@pytest.mark.parametrize("wrong", ["Ada", " ada. ", "Ada L."])
def test_a_perturbed_answer_that_is_right_is_refused(wrong: str) -> None:
    """It would be as likely as the truth, and a truth ratio of 1 reads as forgotten."""
    with pytest.raises(InputError, match=r"perturbed_answers: '.*' is a right answer of this row; leave it out"):
        row(**ASKED, paraphrased_answers=["Ada L."], perturbed_answers=["Bob", wrong]).example()
