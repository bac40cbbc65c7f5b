"""Greedy answers: up to the end of turn, whatever the batch and whatever the checkpoint says about sampling."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests import tiny
from tests.families import Build, each_family
from unsee.data import Example
from unsee.vlm import LoadedModel, answers


def script(loaded: LoadedModel, lines: dict[str, str], afterwards: str = "Lima") -> None:
    """Make a model say, to each question, its line and the end of turn, and then `afterwards` for ever."""
    encoder = loaded.encoder
    tokenizer = encoder.tokenizer
    told = {tokenizer(question)["input_ids"][-1]: tokenizer(line)["input_ids"] for question, line in lines.items()}
    assert len(told) == len(lines), "questions must end in different tokens"
    filler = tokenizer(afterwards)["input_ids"][0]
    prompts: list[Tensor] = []

    def speak(module: Any, arguments: Any, keywords: dict[str, Tensor], output: Any) -> Any:
        ids = keywords["input_ids"]
        if ids.shape[1] > 1:
            prompts[:] = [ids]
        else:
            prompts[:] = [torch.cat([*prompts, ids], 1)]
        history, logits = prompts[0], output.logits
        for row in range(len(history)):
            logits[row, -1] = 0.0
            logits[row, -1, _next(history[row].tolist())] = 100.0
        return output

    suffix = len(_generation_prompt(loaded))

    def _next(ids: list[int]) -> int:
        for question_end, line in told.items():
            for place, token in enumerate(ids):
                if token == question_end and ids[place + 1 : place + 1 + suffix] == _generation_prompt(loaded):
                    said = len(ids) - place - 1 - suffix
                    return [*line, encoder.eos_token_id][said] if said <= len(line) else filler
        raise AssertionError("nothing is scripted for this prompt")

    loaded.model.register_forward_hook(speak, with_kwargs=True)


def _generation_prompt(loaded: LoadedModel) -> list[int]:
    mark = "\ue000"
    prompt, _ = loaded.encoder.texts(Example(mark, "x"))
    ids: list[int] = loaded.encoder.tokenizer(prompt.rpartition(mark)[2], add_special_tokens=False)["input_ids"]
    return ids


@each_family
def test_generation_stops_at_the_end_of_turn(build: Build) -> None:
    loaded = build()
    loaded.model.eval()
    lines = {"Where does Ada live?": "San Francisco", "What is the colour": "red"}
    script(loaded, lines)
    asked = [Example(question, "?", tiny.picture(1) if "Ada" in question else None) for question in lines]
    # The short line ends four tokens before the long one; what the model goes on to say after it is not an answer.
    assert answers(loaded.model, loaded.encoder, asked, max_new_tokens=30) == ["San Francisco", "red"]
    assert answers(loaded.model, loaded.encoder, asked, max_new_tokens=1) == [
        loaded.encoder.tokenizer.decode(loaded.encoder.tokenizer(line)["input_ids"][:1]) for line in lines.values()
    ]


@each_family
def test_the_batch_does_not_change_what_is_said(build: Build) -> None:
    loaded, examples = build(seed=3), tiny.examples(6)
    loaded.model.eval()
    together = answers(loaded.model, loaded.encoder, examples, max_new_tokens=6)
    alone = [answers(loaded.model, loaded.encoder, [example], max_new_tokens=6)[0] for example in examples]
    assert together == alone
    assert len(set(together)) > 1
    assert all(together)


@each_family
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


@each_family
def test_an_expected_answer_is_not_shown_to_the_model(build: Build) -> None:
    loaded = build(seed=3)
    loaded.model.eval()
    said = [
        answers(loaded.model, loaded.encoder, [Example("Where does this person live?", truth, tiny.picture(1))], 5)
        for truth in ("Oslo", "San Francisco")
    ]
    assert said[0] == said[1]
