"""Rows that no model can be asked: too long for its context, pictures of no shape, tokens that are no words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import tiny
from tests.families import ALL_FAMILIES, Build, each_family, every_family
from unsee.data import Example
from unsee.errors import InputError
from unsee.vlm import Encoder
from unsee.vlm.lengths import Limits, longest_sequence


def limited(build: Build, context: int | None, vocabulary: int | None = None) -> Encoder:
    loaded = build()
    return Encoder(loaded.processor, loaded.encoder.end_of_turn_ids, limits=Limits(context, vocabulary))


@every_family
def test_a_row_may_be_as_long_as_the_context_and_no_longer(build: Build) -> None:
    for picture in (None, tiny.picture(1, (60, 40)), tiny.picture(1, (33, 90))):
        example = Example("Where does this person live?", "San Francisco", picture)
        row = build().encoder.encode(example)
        length = len(row.prompt_ids) + len(row.answer_ids)
        limited(build, length).check([example])
        limited(build, length).encode(example)
        short = limited(build, length - 1)
        with pytest.raises(
            InputError, match=rf"rows.jsonl, row 2, too long: {len(row.prompt_ids)} tokens of the prompt"
        ):
            short.check([Example("Who?", "Ada"), example], "rows.jsonl")
        with pytest.raises(InputError, match=f"the {length - 1} that the model takes"):
            short.encode(example)


@each_family
def test_every_answer_and_what_is_to_be_said_must_fit(build: Build) -> None:
    example = Example("Where does this person live?", "Oslo", tiny.picture(1))
    row = build().encoder.encode(example)
    encoder = limited(build, len(row.prompt_ids) + len(row.answer_ids) + 5)
    encoder.check([example], new_tokens=len(row.answer_ids) + 5)
    with pytest.raises(InputError, match=r"for what the model is to say .* smaller max_new_tokens"):
        encoder.check([example], new_tokens=len(row.answer_ids) + 6)
    long = "San Francisco and then San Francisco again"
    for key in ("paraphrased_answers", "perturbed_answers", "choices"):
        answers: dict[str, Any] = {key: ("Oslo", long)}
        with pytest.raises(InputError, match="too long"):
            encoder.check([Example(example.question, "Oslo", example.image, **answers)])


def test_a_question_that_is_asked_with_letters_must_fit() -> None:
    choices = ("Oslo", "San Francisco", "Lima", "London")
    example = Example("Where does this person live?", "Oslo", choices=choices)
    room = len(tiny.llava().encoder.encode(example).prompt_ids) + 20
    limited(tiny.llava, room).check([example])
    with pytest.raises(InputError, match="too long"):
        limited(tiny.llava, room).check([example], new_tokens=4)


def test_rows_that_are_far_from_the_limit_are_not_tokenised_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = limited(tiny.qwen, 2048)
    processed: list[Any] = []
    original = encoder._processed

    def counting(*given: Any) -> Any:
        processed.append(given)
        return original(*given)

    monkeypatch.setattr(encoder, "_processed", counting)
    rows = [Example(f"Where does Ada {number} live?", "Oslo", tiny.picture(number)) for number in range(40)]
    encoder.check(rows)
    assert len(processed) == 1  # for the one size that all pictures have


ROPE = {"rope_type": "default", "rope_theta": 1e4}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 128}
LINEAR = {"rope_type": "linear", "factor": 2.5}


@pytest.mark.parametrize(
    ("positions", "rope", "expected"),
    [
        (4096, None, 4096),
        (4096, ROPE, 4096),
        (4096, {**ROPE, "factor": 9.0}, 4096),
        (1024, YARN, 4096),  # 4 x 1024
        (8192, YARN, 8192),  # already more than 4 x 1024
        (1024, LLAMA3, 1024),  # 8 x 128
        (1000, LINEAR, 2500),
        (1000, {"full_attention": LINEAR, "sliding_attention": ROPE}, 1000),  # as in Gemma 3: the shorter of both
        (None, None, None),
    ],
)
def test_the_context_is_stretched_as_rotary_positions_are(
    positions: int | None, rope: dict[str, Any] | None, expected: int | None
) -> None:
    text = SimpleNamespace(max_position_embeddings=positions, rope_parameters=rope)
    assert longest_sequence(SimpleNamespace(get_text_config=lambda: text)) == expected


# Pictures.


@every_family
def test_pictures_too_narrow_are_named_before_anything_is_measured(build: Build, tmp_path: Path) -> None:
    encoder = build().encoder
    good = Example("Who?", "Ada", tiny.picture(1, (1, 1)))
    encoder.check([good, Example("Who?", "Ada", tiny.picture(1, (1, 200)))])
    (tmp_path / "strip.png").write_bytes(tiny.picture(1, (401, 2)))
    for narrow in (tmp_path / "strip.png", tiny.picture(1, (1, 201))):
        with pytest.raises(InputError, match=r"rows.jsonl, row 2, .*too narrow; at most 200 times as long as wide"):
            encoder.check([good, Example("Who?", "Ada", narrow)], "rows.jsonl")
        with pytest.raises(InputError, match="too narrow"):
            encoder.encode(Example("Who?", "Ada", narrow))
    with pytest.raises(InputError, match=r"strip\.png"):
        encoder.check([Example("Who?", "Ada", tmp_path / "strip.png")])


@pytest.mark.parametrize("failure", [ValueError, TypeError, ZeroDivisionError, IndexError, RuntimeError])
def test_pictures_that_a_processor_refuses_are_named_with_their_row(
    failure: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = tiny.llava()
    original = type(loaded.processor).__call__

    def refuse(self: Any, images: Any = None, **given: Any) -> Any:
        if images is not None and min(images[0][0].size) < 14:
            raise failure("height or width must be larger than 14")
        return original(self, images=images, **given)

    monkeypatch.setattr(type(loaded.processor), "__call__", refuse)
    rows = [Example("Who?", "Ada", tiny.picture(1)), Example("Who?", "Ada", tiny.picture(1, (13, 40)))]
    with pytest.raises(InputError, match=r"f.jsonl, row 2, image bytes: .* refuses it of 13 x 40 pixels \(height or"):
        loaded.encoder.check(rows, "f.jsonl")


# Tokens that are no words.


def all_special() -> list[str]:
    """Every special token of every family."""
    found: dict[str, None] = {}
    for build in ALL_FAMILIES.values():
        text = build().processor.tokenizer
        found |= dict.fromkeys(
            [*text.all_special_tokens, *(token.content for token in text.added_tokens_decoder.values())]
        )
    return [*found, "<video>", "<think>", "</think>", "<|eot_id|>", "<unk>"]


@every_family
def test_what_is_no_word_to_one_family_is_refused_by_all(build: Build) -> None:
    encoder = build().encoder
    tokens = all_special()
    assert {"<image>", "</s>", "<|im_end|>", "<|image_pad|>", "<start_of_image>", "<IMG_CONTEXT>"} <= set(tokens)
    for token in tokens:
        for row in (Example(f"What is {token}?", "Ada"), Example("Who?", f"A {token} B")):
            with pytest.raises(InputError, match=r"rows.jsonl, row 1, (question|answer) .* holds the .*: leave it out"):
                encoder.check([row], "rows.jsonl")
            with pytest.raises(InputError, match="leave it out"):
                encoder.encode(row)
        assert encoder.special_in(f"A {token} B") == token


@every_family
@pytest.mark.parametrize(
    "text", ["Is 1 < 2 > 0?", "<b>Ada</b>", "a|b", "[INST]", "<images>", "i < s > j", "<|", "| > |"]
)
def test_words_in_angles_stay_words(build: Build, text: str) -> None:
    encoder = build().encoder
    encoder.check([Example(text, text)])
    assert encoder.tokenizer.decode(encoder.encode(Example(text, text)).answer_ids[:-1]).strip() == text


@each_family
def test_a_token_that_the_model_does_not_know_is_named(build: Build) -> None:
    largest = max(build().encoder.encode(Example("Where?", "San Francisco")).answer_ids.tolist())
    encoder = limited(build, None, vocabulary=largest)
    look: list[Callable[[Example], Any]] = [encoder.encode, encoder.candidate_ids, lambda row: encoder.check([row])]
    for at in look:
        with pytest.raises(InputError, match=f"number {largest} and the model has vectors for {largest}; resize"):
            at(Example("Where?", "San Francisco"))
    limited(build, None, vocabulary=largest + 1).check([Example("Where?", "San Francisco")])
