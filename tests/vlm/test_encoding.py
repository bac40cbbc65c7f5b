"""What becomes of an example: the processor's own tokens, and labels that hold the answer alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests import tiny
from tests.families import SPACE_FIRST, Build, every_family, family_of
from unsee.data import Example
from unsee.errors import InputError
from unsee.vlm import IGNORED, Encoder
from unsee.vlm.batch import Encoded, join

HOSTILE_ANSWERS = ["São Paulo", "東京 🙂", "a\nb", "\u200b", "Where", "person", "end", "im", "|", "USER:", "assistant"]


def conversation(example: Example, with_answer: bool = False) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = [] if example.image is None else [{"type": "image", "image": example.picture()}]
    content.append({"type": "text", "text": example.question})
    answer = {"role": "assistant", "content": [{"type": "text", "text": example.answer}]}
    return [{"role": "user", "content": content}, *([answer] if with_answer else [])]


def processed(encoder: Encoder, conversations: list[Any], prompt: bool) -> dict[str, Tensor]:
    """What the processor makes of whole conversations by itself."""
    found = encoder.processor.apply_chat_template(
        conversations,
        add_generation_prompt=prompt,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        processor_kwargs={"padding": True},
    )
    return dict(found)


@every_family
def test_labels_are_the_answer_and_the_end_of_turn(build: Build) -> None:
    loaded, examples = build(), tiny.examples(7)
    assert {example.image is None for example in examples} == {True, False}
    batch = loaded.encoder.batch(examples)
    for example, labels in zip(examples, batch.labels, strict=True):
        said = loaded.processor.tokenizer.decode(labels[labels != IGNORED])
        assert said.removeprefix(" ") == example.answer + loaded.processor.tokenizer.eos_token
        assert (said[0] == " ") == (family_of(build) in SPACE_FIRST)


@every_family
def test_prompt_image_and_padding_are_never_labels(build: Build) -> None:
    loaded, examples = build(), tiny.examples(7)
    batch = loaded.encoder.batch(examples)
    ids, attended = batch.inputs["input_ids"], batch.inputs["attention_mask"]
    widest = batch.labels.shape[1]
    for row, example in enumerate(examples):
        answer = batch.labels[row][batch.labels[row] != IGNORED]
        # Labels are the last tokens of the row, in their places ...
        assert torch.equal(ids[row, -len(answer) :], answer)
        assert (batch.labels[row, : widest - len(answer)] == IGNORED).all()
        # ... and what precedes them is padding, then the whole prompt as the processor tokenises it.
        before, seen = ids[row, : -len(answer)], attended[row, : -len(answer)].bool()
        prompt = processed(loaded.encoder, [conversation(example)], prompt=True)["input_ids"][0]
        assert torch.equal(before[seen], prompt)
        assert (before[~seen] == loaded.encoder.pad_token_id).all()
        assert not seen[: len(before) - len(prompt)].any()
        assert attended[row, -len(answer) :].all()
        config: Any = loaded.model.config
        assert (config.image_token_id in prompt) == (example.image is not None)
        assert config.image_token_id not in answer


@every_family
@pytest.mark.parametrize("answer", ["Oslo", "San Francisco", *HOSTILE_ANSWERS])
def test_answer_ids_continue_the_prompt_as_joint_tokenisation_does(build: Build, answer: str) -> None:
    loaded = build()
    for image in (None, tiny.picture(0)):
        example = Example("Where does this person live?", answer, image)
        row = loaded.encoder.encode(example)
        joint = processed(loaded.encoder, [conversation(example, with_answer=True)], prompt=False)["input_ids"][0]
        own = torch.cat([row.prompt_ids, row.answer_ids])
        assert row.answer_ids[-1] == loaded.encoder.eos_token_id
        # LLaVA-1.5's template writes no end of turn (only a space), so the last token is ours alone there.
        shared = len(own) - (build is tiny.llava)
        assert torch.equal(own[:shared], joint[:shared])
        rest = loaded.processor.tokenizer.decode(joint[shared:])
        assert rest.strip() == ""


@every_family
def test_a_row_is_encoded_as_the_processor_encodes_the_whole_batch(build: Build) -> None:
    loaded, examples = build(), tiny.examples(7)
    expected = processed(loaded.encoder, [conversation(example) for example in examples], prompt=True)
    found = loaded.encoder.batch(examples, with_answers=False).inputs
    if family_of(build) in ("idefics3", "smolvlm"):  # rows in words alone get images of zeros, which the model drops
        shown = expected["pixel_values"].flatten(1).any(1)
        expected |= {name: expected[name][shown] for name in ("pixel_values", "pixel_attention_mask")}
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].shape == value.shape, name
        assert torch.equal(found[name], value), name


@every_family
def test_the_tokenizers_own_padding_side_makes_no_difference(build: Build) -> None:
    left, right, examples = build(), build(), tiny.examples(5)
    right.processor.tokenizer.padding_side = "right"
    expected, found = left.encoder.batch(examples), right.encoder.batch(examples)
    assert torch.equal(found.labels, expected.labels)
    assert found.inputs.keys() == expected.inputs.keys()
    for name, value in expected.inputs.items():
        assert torch.equal(found.inputs[name], value), name


@every_family
def test_a_row_does_not_depend_on_its_neighbours(build: Build) -> None:
    examples = tiny.examples(5)
    together, alone = build().encoder.batch(examples), build().encoder
    for row, example in enumerate(examples):
        single = alone.batch([example])
        length = single.inputs["input_ids"].shape[1]
        for name in ("input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids"):
            if name in together.inputs:
                assert torch.equal(together.inputs[name][row, -length:], single.inputs[name][0]), name
        width = single.labels.shape[1]
        assert torch.equal(together.labels[row, -width:], single.labels[0])


@every_family
@pytest.mark.parametrize("limit", [{"keep": 2}, {"keep_bytes": 20_000}], ids=lambda limit: next(iter(limit)))
def test_forgetting_encoded_rows_changes_nothing(build: Build, limit: dict[str, Any]) -> None:
    loaded, examples = build(), tiny.examples(6)
    forgetful = Encoder(loaded.processor, **limit)
    expected = loaded.encoder.batch(examples)
    for _ in range(2):
        found = forgetful.batch(examples)
        assert torch.equal(found.labels, expected.labels)
        for name, value in expected.inputs.items():
            assert torch.equal(found.inputs[name], value), name
    assert 0 < len(forgetful._rows) < len(examples)
    assert len(loaded.encoder._rows) == len(examples)


def test_one_picture_is_held_once_however_many_questions_it_is_asked() -> None:
    encoder = tiny.llava().encoder
    rows = [encoder.encode(Example(f"Question {number}?", "Oslo", tiny.picture(3))) for number in range(3)]
    assert rows[0].per_image["pixel_values"] is rows[2].per_image["pixel_values"]


@every_family
def test_without_answers_rows_end_where_generation_starts(build: Build) -> None:
    loaded, examples = build(), tiny.examples(4)
    batch = loaded.encoder.batch(examples, with_answers=False)
    for example, ids in zip(examples, batch.inputs["input_ids"], strict=True):
        prompt, _ = loaded.encoder.texts(example)
        assert loaded.processor.tokenizer.decode(ids).endswith(prompt[-12:])


def test_indices_name_the_places_in_the_set() -> None:
    encoder, examples = tiny.llava().encoder, tiny.examples(3)
    assert encoder.batch(examples).indices.tolist() == [0, 1, 2]
    batch = encoder.batch(examples, indices=[7, 3, 5])
    assert batch.indices.tolist() == [7, 3, 5]
    assert len(batch) == 3
    assert batch.as_dict().keys() == {"inputs", "labels", "indices"}


# Templates that are not those of the two families.

THINKING = tiny.CHATML_TEMPLATE.replace(
    "<|im_start|>assistant\n{% endif %}", "<|im_start|>assistant\n<think>\n\n</think>\n\n{% endif %}"
)
TRAILING_SPACE = tiny.LLAVA_TEMPLATE.replace("ASSISTANT:{% endif %}", "ASSISTANT: {% endif %}")
TRIMMED = tiny.CHATML_TEMPLATE.replace("{{ part.text }}", "{{ part.text | trim }}")


def with_template(build: Build, template: str) -> Encoder:
    loaded = build()
    loaded.processor.chat_template = template
    return Encoder(loaded.processor, loaded.encoder.end_of_turn_ids)


@pytest.mark.parametrize("answer", ["Oslo", "live", *HOSTILE_ANSWERS])
def test_a_generation_prompt_that_thinks_first_is_followed_by_the_answer_alone(answer: str) -> None:
    # Qwen3's generation prompt holds an empty thought that its template does not write before an answer. The answer
    # may occur in the question, or in "<|im_end|>" itself.
    encoder = with_template(tiny.qwen, THINKING)
    row = encoder.encode(Example("Where does this person live?", answer, tiny.picture(0)))
    assert encoder.tokenizer.decode(row.prompt_ids).endswith("<think>\n\n</think>\n\n")
    assert encoder.tokenizer.decode(row.answer_ids) == answer + "<|im_end|>"


@pytest.mark.parametrize("template", [THINKING.replace("{{ part.text }}", "{{ part.text | trim }}"), TRIMMED])
def test_a_template_that_trims_answers_still_yields_the_answer_alone(template: str) -> None:
    encoder = with_template(tiny.qwen, template)
    row = encoder.encode(Example("Where does this person live?", " Oslo\n"))
    assert encoder.tokenizer.decode(row.answer_ids).strip() in ("Oslo<|im_end|>", "Oslo\n<|im_end|>")


def test_a_border_inside_a_token_splits_the_answer_off_whole() -> None:
    # "ASSISTANT: " + "Oslo" is tokenised jointly as "ASSISTANT", ":", " Oslo": no prefix of it is the prompt.
    encoder = with_template(tiny.llava, TRAILING_SPACE)
    row = encoder.encode(Example("Where does this person live?", "Oslo"))
    assert encoder.tokenizer.decode(row.prompt_ids).endswith("ASSISTANT: ")
    assert encoder.tokenizer.decode(row.answer_ids) == "Oslo</s>"


def test_an_end_of_turn_that_is_not_the_end_of_sequence_ends_the_labels() -> None:
    loaded = tiny.qwen()
    loaded.processor.tokenizer.eos_token = "<|endoftext|>"
    ends = loaded.processor.tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
    example = Example("Where does this person live?", "Oslo")
    # The model stops at <|im_end|> according to its generation settings: the label stops there too.
    row = Encoder(loaded.processor, ends).encode(example)
    assert loaded.processor.tokenizer.decode(row.answer_ids) == "Oslo<|im_end|>"
    # Without them nothing but the end of sequence is known to stop it.
    row = Encoder(loaded.processor).encode(example)
    assert loaded.processor.tokenizer.decode(row.answer_ids) == "Oslo<|im_end|><|endoftext|>"


# What is refused.


@every_family
@pytest.mark.parametrize("key", ["question", "answer"])
@pytest.mark.parametrize("expanded", [False, True], ids=["of the template", "of the model"])
def test_image_placeholders_in_the_text_are_refused(build: Build, key: str, expanded: bool) -> None:
    loaded = build()
    encoder = loaded.encoder
    values: dict[str, Any] = {"question": "Who is this?", "answer": "Ada"}
    config: Any = loaded.model.config
    placeholder = encoder.tokenizer.decode([config.image_token_id]) if expanded else encoder.processor.image_token
    values[key] = f"{placeholder}\n{values[key]}"
    example = Example(**values, image=tiny.picture(0))
    with pytest.raises(InputError, match=f"{key} .*leave it out"):
        encoder.encode(example)
    with pytest.raises(InputError, match="placeholder"):
        encoder.check([Example("Who?", "Ada"), example])


@pytest.mark.parametrize("key", ["question", "answer"])
def test_video_placeholders_in_the_text_are_refused(key: str) -> None:
    values: dict[str, Any] = {"question": "Who is this?", "answer": "Ada"} | {key: "<|video_pad|> Ada"}
    with pytest.raises(InputError, match="placeholder"):
        tiny.qwen().encoder.encode(Example(**values))


@every_family
@pytest.mark.parametrize("answer", ["Riga {} Oslo", "Riga{}", "{}"])
def test_an_answer_that_holds_the_end_of_turn_is_refused_and_never_cut(build: Build, answer: str) -> None:
    encoder = build().encoder
    example = Example("Where does this person live?", answer.format(encoder.tokenizer.eos_token))
    with pytest.raises(InputError, match="end of turn"):
        encoder.encode(example)
    with pytest.raises(InputError, match="end of turn"):
        encoder.check([example])


@every_family
@pytest.mark.parametrize("answer", HOSTILE_ANSWERS)
def test_no_character_of_an_answer_is_lost(build: Build, answer: str) -> None:
    loaded = build()
    row = loaded.encoder.encode(Example("Where does this person live? Where?", answer, tiny.picture(1)))
    said = loaded.processor.tokenizer.decode(row.answer_ids)
    assert said.removeprefix(" ") == answer + loaded.processor.tokenizer.eos_token


def test_a_processor_without_what_encoding_needs_is_refused() -> None:
    processor = tiny.llava().processor
    with pytest.raises(InputError, match="no tokenizer"):
        Encoder(SimpleNamespace(chat_template="x"))
    processor.chat_template = None
    with pytest.raises(InputError, match="no chat template"):
        Encoder(processor)
    processor.chat_template = tiny.LLAVA_TEMPLATE
    processor.tokenizer.eos_token = None
    with pytest.raises(InputError, match="no end-of-sequence"):
        Encoder(processor)


# Joining rows of shapes that the tiny families do not have.


def encoded(prompt: int, answer: int, per_token: bool, crops: int) -> Encoded:
    ids = torch.arange(1, prompt + 1)
    return Encoded(
        prompt_ids=ids,
        answer_ids=torch.arange(50, 50 + answer),
        per_token={"token_type_ids": torch.ones_like(ids)} if per_token else {},
        per_image={"pixel_values": torch.full((1, crops, 3, 2, 2), float(crops))} if crops else {},
    )


def test_rows_that_lack_a_per_token_input_count_as_text_there() -> None:
    batch = join([encoded(2, 1, True, 1), encoded(4, 2, False, 0)], pad_token_id=0, indices=[0, 1])
    assert batch.inputs["token_type_ids"].tolist() == [[0, 0, 0, 1, 1, 0], [0, 0, 0, 0, 0, 0]]
    assert batch.inputs["input_ids"].tolist() == [[0, 0, 0, 1, 2, 50], [1, 2, 3, 4, 50, 51]]
    assert batch.labels.tolist() == [[IGNORED, 50], [50, 51]]


def test_images_of_unequal_numbers_of_crops_are_padded_with_zeros() -> None:
    batch = join([encoded(2, 1, True, 1), encoded(2, 1, True, 3)], pad_token_id=0, indices=[0, 1])
    pixels = batch.inputs["pixel_values"]
    assert pixels.shape == (2, 3, 3, 2, 2)
    assert pixels[0, 1:].abs().sum() == 0
    assert (pixels[0, 0] == 1).all()
    assert (pixels[1] == 3).all()
