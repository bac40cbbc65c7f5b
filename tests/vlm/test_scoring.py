"""Many answers to one question: as likely as each by itself, and the question read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers.cache_utils import DynamicLayer

from tests import tiny
from tests.families import Build, every_family
from unsee.data import Example
from unsee.errors import InputError
from unsee.vlm import LoadedModel, Policy, answer_scores
from unsee.vlm.scoring import AnswerScore, Scorer

# The first and the fourth are in words alone. The pictures take several tokens in families of dynamic resolution, and
# unlike numbers of them, so that positions behind them are not what counting tokens gives.
SIZES = {1: (84, 56), 2: (56, 84), 4: (56, 56)}
EXAMPLES = [
    replace(example, image=tiny.picture(number, SIZES[number]) if number in SIZES else None)
    for number, example in enumerate(tiny.examples(5))
]
ANSWERS = [
    ["Riga", "San Francisco", "Oslo", "red", "Ada Byron lives in London", "blue", "Riga"],  # one comes twice
    ["Oslo"],
    ["Where is the colour of the ground?", "x"],
    [],
    ["Lima", "Oslo", "green", "London", "red, blue"],
]


class _Passes:
    """Counts the forward passes of a model, and the images that they see."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.passes, self.images = 0, 0
        loaded.model.register_forward_pre_hook(self._count, with_kwargs=True)

    def _count(self, module: Any, arguments: Any, inputs: dict[str, Any]) -> None:
        self.passes += 1
        self.images += "pixel_values" in inputs


def alone(loaded: LoadedModel, examples: Sequence[Example], answers: Sequence[Sequence[str]]) -> list[list[float]]:
    """Each answer in a conversation and a forward pass of its own."""
    policy = Policy(loaded.model)
    return [
        [
            answer_scores(policy, loaded.encoder.batch([replace(example, answer=text)]))[0].item()
            for text in texts
        ]
        for example, texts in zip(examples, answers, strict=True)
    ]  # fmt: skip


def log_probs(scores: list[list[AnswerScore]]) -> list[list[float]]:
    return [[score.log_prob for score in row] for row in scores]


def assert_close(found: list[list[float]], expected: list[list[float]]) -> None:
    for row, truth in zip(found, expected, strict=True):
        assert row == pytest.approx(truth, abs=1e-5)


def sharpened(build: Build, **options: Any) -> LoadedModel:
    """A family whose attention is sharper: positions hardly matter to a model that knows nothing."""
    loaded = build(**options)
    loaded.model.eval()
    with torch.no_grad():
        for name, weight in loaded.model.named_parameters():
            if weight.dim() == 2 and ("q_proj" in name or "k_proj" in name):
                weight.mul_(8)
    return loaded


@every_family
@pytest.mark.parametrize("mix", [slice(None), [1, 2, 4], [0, 3]], ids=["mixed", "images", "words"])
def test_shared_scores_are_those_of_each_answer_by_itself(build: Build, mix: Any) -> None:
    loaded = sharpened(build, seed=3)
    rows = list(range(5))[mix] if isinstance(mix, slice) else mix
    examples, answers = [EXAMPLES[row] for row in rows], [ANSWERS[row] for row in rows]
    scorer = Scorer(loaded.model, loaded.encoder)
    found = scorer(examples, answers)
    assert scorer.shares
    assert_close(log_probs(found), alone(loaded, examples, answers))
    for example, texts, scores in zip(examples, answers, found, strict=True):
        tokens = [len(loaded.encoder.encode(replace(example, answer=text)).answer_ids) for text in texts]
        assert [score.tokens for score in scores] == tokens


@every_family
def test_scores_stay_the_same_however_many_answers_a_pass_takes(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = sharpened(build, seed=3)
    at_once = Scorer(loaded.model, loaded.encoder)(EXAMPLES, ANSWERS)
    monkeypatch.setattr("unsee.vlm.scoring.TOKENS_AT_ONCE", 1)  # five answers a pass: one for each row
    counted = _Passes(loaded)
    few = Scorer(loaded.model, loaded.encoder)(EXAMPLES, ANSWERS)
    assert_close(log_probs(few), log_probs(at_once))
    assert counted.passes >= 4


@every_family
def test_a_row_with_and_a_row_without_an_image_leave_nothing_behind_for_each_other(build: Build) -> None:
    loaded = sharpened(build, seed=3)
    scorer = Scorer(loaded.model, loaded.encoder)
    for rows in ([1, 2], [0, 3], [4], [0]):  # families with multimodal positions remember those of the last images
        examples, answers = [EXAMPLES[row] for row in rows], [ANSWERS[0]] * len(rows)
        assert_close(log_probs(scorer(examples, answers)), alone(loaded, examples, answers))


@every_family
def test_an_answer_continues_the_very_prompt_that_is_shared(build: Build) -> None:
    encoder = build().encoder
    for example in EXAMPLES:
        prompt = encoder.encode(example).prompt_ids.tolist()
        for text in ANSWERS[0]:
            other = replace(example, answer=text)
            whole = encoder.batch([other]).inputs["input_ids"][0].tolist()
            assert whole == prompt + encoder.answer_ids(other)


def test_the_image_is_read_once_for_all_answers() -> None:
    loaded = tiny.llava()
    loaded.model.eval()
    scorer = Scorer(loaded.model, loaded.encoder)
    scorer([EXAMPLES[1]], [["Riga", "Oslo"]])  # finds out whether the past can be shared
    counted = _Passes(loaded)
    scorer([EXAMPLES[1], EXAMPLES[2]], [ANSWERS[0], ANSWERS[0]])
    assert scorer.shares
    assert (counted.passes, counted.images) == (2, 1)  # the prompts, and all answers behind them


def test_one_answer_each_takes_one_pass_and_no_memory_of_the_past() -> None:
    loaded = tiny.llava()
    loaded.model.eval()
    counted = _Passes(loaded)
    scorer = Scorer(loaded.model, loaded.encoder)
    scorer(EXAMPLES, [[example.answer] for example in EXAMPLES])
    assert (counted.passes, scorer.shares) == (1, None)


class _InPlace(DynamicLayer):
    """A layer of another kind, as recurrent families have them."""


def _other_kind_of_layer(module: Any, arguments: Any, inputs: dict[str, Any], output: Any) -> None:
    if inputs.get("past_key_values") is None and output.past_key_values is not None:
        output.past_key_values.layers[0].__class__ = _InPlace


def _forgetful(module: Any, arguments: Any, inputs: dict[str, Any]) -> Any:
    if inputs.get("past_key_values") is not None:
        return arguments, {**inputs, "past_key_values": None, "attention_mask": None}
    return None


@pytest.mark.parametrize("kind", ["layer", "loses its past"])
def test_a_past_that_cannot_be_shared_is_not(kind: str) -> None:
    loaded = sharpened(tiny.llava, seed=3)
    expected = alone(loaded, EXAMPLES, ANSWERS)
    if kind == "layer":
        loaded.model.register_forward_hook(_other_kind_of_layer, with_kwargs=True)
    else:
        loaded.model.register_forward_pre_hook(_forgetful, with_kwargs=True)
    scorer = Scorer(loaded.model, loaded.encoder)
    assert_close(log_probs(scorer(EXAMPLES, ANSWERS)), expected)
    assert scorer.shares is False


def test_sharing_works_under_an_adapter_and_in_low_precision() -> None:
    from peft import LoraConfig, get_peft_model

    loaded = tiny.llava(seed=3)
    adapted = get_peft_model(loaded.model, LoraConfig(target_modules=["q_proj", "v_proj"]))
    model = adapted.to(torch.bfloat16).eval()
    scorer, by_itself = Scorer(model, loaded.encoder), Scorer(model, loaded.encoder, share=False)
    found, expected = scorer(EXAMPLES, ANSWERS), by_itself(EXAMPLES, ANSWERS)
    assert scorer.shares
    for row, truth in zip(log_probs(found), log_probs(expected), strict=True):
        assert row == pytest.approx(truth, abs=0.2)


def test_an_answer_with_a_placeholder_is_refused() -> None:
    loaded = tiny.llava()
    loaded.model.eval()
    with pytest.raises(InputError, match="placeholder <image>"):
        Scorer(loaded.model, loaded.encoder)([EXAMPLES[1]], [["Riga", "an <image>"]])
