"""Greedy answers: up to the end of turn, whatever the batch and whatever the checkpoint says about sampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests import tiny
from tests.families import Build, every_family
from tests.scripted import script
from unsee.data import Example
from unsee.vlm import Said, answers, room_for


def texts(said: Sequence[Said]) -> list[str]:
    return [one.text for one in said]


@every_family
def test_generation_stops_at_the_end_of_turn(build: Build) -> None:
    loaded = build()
    loaded.model.eval()
    lines = {"Where does Ada live?": "San Francisco", "What is the colour": "red"}
    script(loaded, lines)
    asked = [Example(question, "?", tiny.picture(1) if "Ada" in question else None) for question in lines]
    # The short line ends four tokens before the long one; what the model goes on to say after it is not an answer.
    assert texts(answers(loaded.model, loaded.encoder, asked, max_new_tokens=30)) == ["San Francisco", "red"]
    assert texts(answers(loaded.model, loaded.encoder, asked, max_new_tokens=1)) == [
        loaded.encoder.tokenizer.decode(loaded.encoder.tokenizer(line)["input_ids"][:1]) for line in lines.values()
    ]


@every_family
def test_the_batch_does_not_change_what_is_said(build: Build) -> None:
    loaded, examples = build(seed=3), tiny.examples(6)
    loaded.model.eval()
    together = answers(loaded.model, loaded.encoder, examples, max_new_tokens=6)
    alone = [answers(loaded.model, loaded.encoder, [example], max_new_tokens=6)[0] for example in examples]
    assert together == alone
    assert len(set(together)) > 1
    assert all(texts(together))


@every_family
@pytest.mark.parametrize(
    "setting",
    [
        {"repetition_penalty": 30.0},  # Qwen2.5-VL's checkpoints come with 1.05
        {"no_repeat_ngram_size": 1},
        {"num_beams": 3},
        {"temperature": 9.0, "do_sample": True, "top_k": 500},
        {"min_new_tokens": 6},
        {"suppress_tokens": list(range(3, 300))},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_the_checkpoints_own_generation_settings_do_not_bend_greedy_answers(
    build: Build, setting: dict[str, Any]
) -> None:
    loaded, examples = build(seed=3), tiny.examples(4)
    model: Any = loaded.model.eval()
    plain = answers(model, loaded.encoder, examples, max_new_tokens=8)
    model.generation_config.update(**setting)
    assert answers(model, loaded.encoder, examples, max_new_tokens=8) == plain


@every_family
def test_an_expected_answer_is_not_shown_to_the_model(build: Build) -> None:
    loaded = build(seed=3)
    loaded.model.eval()
    said = [
        answers(loaded.model, loaded.encoder, [Example("Where does this person live?", truth, tiny.picture(1))], 5)
        for truth in ("Oslo", "San Francisco")
    ]
    assert said[0] == said[1]


@every_family
def test_a_batch_stops_when_its_last_row_has_stopped(build: Build) -> None:
    loaded = build()
    loaded.model.eval()
    lines = {"Where does Ada live?": "San Francisco", "What is the colour": "red"}
    script(loaded, lines)
    passes: list[int] = []
    loaded.model.register_forward_pre_hook(lambda *_: passes.append(1))
    asked = [Example(question, "?", tiny.picture(1) if "Ada" in question else None) for question in lines]
    answers(loaded.model, loaded.encoder, asked, max_new_tokens=30)
    longest = max(len(loaded.encoder.tokenizer(line)["input_ids"]) for line in lines.values())
    assert len(passes) == longest + 1  # its tokens and the end of its turn


def test_an_end_of_turn_that_decodes_to_words_is_cut_with_all_behind_it() -> None:
    loaded = tiny.llava()
    loaded.model.eval()
    # Checkpoints name ends of turn that their tokenizer does not hold to be special; those would be read out.
    (end,) = loaded.encoder.tokenizer(" red")["input_ids"]
    loaded.encoder.end_of_turn_ids |= {end}
    script(loaded, {"Where": "Riga red"})
    assert texts(answers(loaded.model, loaded.encoder, [Example("Where?", "?", tiny.picture(1))], 30)) == ["Riga"]


# How much room there is, and what became of an answer that needs more.


@every_family
def test_an_answer_that_is_cut_says_so(build: Build) -> None:
    loaded = build()
    loaded.model.eval()
    script(loaded, {"Where": "San Francisco", "colour": "red"})
    asked = [Example("Where does Ada live?", "?", tiny.picture(1)), Example("Which colour?", "?")]
    long, short = (len(loaded.encoder.tokenizer(line)["input_ids"]) for line in ("San Francisco", "red"))
    assert long > short
    rooms = (short, short + 1, long, long + 1)
    cuts = {room: [one.truncated for one in answers(loaded.model, loaded.encoder, asked, room)] for room in rooms}
    # An answer is whole when its end of turn fits as well.
    assert cuts == {room: [room <= long, room <= short] for room in rooms}


def test_room_is_the_default_or_half_more_than_the_longest_expected_answer() -> None:
    encoder = tiny.llava().encoder
    assert room_for(encoder, []) == room_for(encoder, ["Riga", "San Francisco"]) == 128
    word = encoder.tokenizer(" Riga", add_special_tokens=False)["input_ids"]
    assert len(word) == 1
    assert room_for(encoder, ["Oslo", " Riga" * 99]) == 150  # 100 with the end of turn, and 50
    assert room_for(encoder, [" Riga" * 200]) == 302  # 201 and 101


def test_there_is_one_default_for_all_commands() -> None:
    from inspect import signature

    from unsee.cli.data import retain
    from unsee.cli.evaluate import evaluate, evaluation
    from unsee.cli.mine import mine_command
    from unsee.evaluation.measure import measure, measure_all, summary
    from unsee.mining.captions import Decoding
    from unsee.mining.self_distillation import Asking
    from unsee.runs.settings import Settings

    for function in (measure, measure_all, summary, evaluation, evaluate):
        assert signature(function).parameters["max_new_tokens"].default is None, function
    assert Settings.model_fields["max_new_tokens"].default is None
    assert Decoding().max_new_tokens == Asking.max_new_tokens == 128
    for command in (mine_command, retain):
        assert signature(command).parameters["max_new_tokens"].default == 128, command
