"""What a model says about answers: at the answer tokens, from everything the processor gives, and from nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests import tiny
from tests.families import ALL_FAMILIES, Build, every_family
from unsee.data import Example
from unsee.vlm import IGNORED, Batch, LoadedModel, Policy, answer_scores


def by_hand(loaded: LoadedModel, batch: Batch) -> list[Tensor]:
    """Log-probabilities of each row's answer tokens, from a plain forward pass with all logits."""
    loaded.model.eval()
    with torch.no_grad():
        logits = loaded.model(**batch.inputs).logits.double()
    found = []
    for row, labels in enumerate(batch.labels):
        answer = labels[labels != IGNORED]
        predicting = logits[row, -len(answer) - 1 : -1].log_softmax(-1)
        found.append(predicting[torch.arange(len(answer)), answer])
    return found


@every_family
def test_log_probs_are_those_of_a_plain_forward_pass(build: Build) -> None:
    loaded = build()
    batch = loaded.encoder.batch(tiny.examples(7))
    log_probs = Policy(loaded.model).token_log_probs(batch)
    logits = Policy(loaded.model).answer_logits(batch)
    assert logits.values.shape[:2] == batch.labels.shape == log_probs.values.shape
    for row, expected in enumerate(by_hand(loaded, batch)):
        mask = log_probs.mask[row]
        torch.testing.assert_close(log_probs.values[row][mask].double(), expected, rtol=0, atol=1e-6)
        assert (log_probs.values[row][~mask] == 0).all()
        chosen = logits.values[row].log_softmax(-1)[mask]
        own = chosen[torch.arange(len(expected)), batch.labels[row][mask]]
        torch.testing.assert_close(own.double(), expected, rtol=0, atol=1e-6)
    whole = Policy(loaded.model).answer_log_probs(batch)
    scores, tokens = answer_scores(Policy(loaded.model), batch)
    expected_sums = torch.stack([one.sum() for one in by_hand(loaded, batch)])
    torch.testing.assert_close(whole.double(), expected_sums, rtol=0, atol=1e-5)
    assert torch.equal(scores, whole)
    assert tokens.tolist() == [len(one) for one in by_hand(loaded, batch)]


@every_family
def test_logits_everywhere_hold_those_of_the_answers(build: Build) -> None:
    loaded = build()
    batch = loaded.encoder.batch(tiny.examples(5))
    everywhere, answers = Policy(loaded.model).all_logits(batch), Policy(loaded.model).answer_logits(batch)
    assert everywhere.shape[:2] == batch.inputs["input_ids"].shape
    longest = batch.labels.shape[1]
    torch.testing.assert_close(everywhere[:, -longest - 1 : -1], answers.values, rtol=0, atol=1e-5)


class AllLogits(nn.Module):
    """A model whose forward pass cannot cut its logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.inner = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor, use_cache: bool, **inputs: Any) -> Any:
        assert "logits_to_keep" not in inputs
        return self.inner(input_ids=input_ids, attention_mask=attention_mask, use_cache=use_cache, **inputs)


@every_family
def test_cutting_the_logits_to_the_answers_changes_nothing(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = build()
    batch = loaded.encoder.batch(tiny.examples(7))
    kept = []
    model: Any = loaded.model
    model.get_output_embeddings().register_forward_hook(lambda module, arguments, logits: kept.append(logits.shape[1]))
    cut = Policy(loaded.model).token_log_probs(batch).values
    full = Policy(AllLogits(loaded.model)).token_log_probs(batch).values
    assert kept == [batch.labels.shape[1] + 1, batch.inputs["input_ids"].shape[1]]
    torch.testing.assert_close(cut, full, rtol=0, atol=1e-6)


@every_family
def test_padding_does_not_change_what_an_answer_costs(build: Build) -> None:
    loaded = build()
    long = Example("Where does this person live? " * 6, "San Francisco San Francisco", tiny.picture(99, (84, 84)))
    wide = Example("Where does this person live?", "Oslo", tiny.picture(98, (80, 20)))  # other numbers of tiles
    examples = [*tiny.examples(5), long, wide]
    policy = Policy(loaded.model)
    together = policy.token_log_probs(loaded.encoder.batch(examples))
    for row, example in enumerate(examples):
        alone = policy.token_log_probs(loaded.encoder.batch([example]))
        torch.testing.assert_close(together.values[row][together.mask[row]], alone.values[0], rtol=0, atol=1e-5)


@every_family
def test_what_stands_in_the_padding_never_counts(build: Build) -> None:
    loaded = build()
    batch = loaded.encoder.batch(tiny.examples(5))
    padding = batch.inputs["attention_mask"] == 0
    assert padding.any()
    filled = batch.inputs["input_ids"].masked_fill(padding, 40)
    noisy = replace(batch, inputs={**batch.inputs, "input_ids": filled})
    policy = Policy(loaded.model)
    torch.testing.assert_close(policy.answer_log_probs(noisy), policy.answer_log_probs(batch), rtol=0, atol=1e-5)


@every_family
def test_everything_that_the_processor_returns_reaches_the_model(build: Build) -> None:
    loaded, examples = build(), tiny.examples(4)
    seen: dict[str, Any] = {}
    loaded.model.register_forward_pre_hook(lambda module, arguments, keywords: seen.update(keywords), with_kwargs=True)
    batch = loaded.encoder.batch(examples)
    Policy(loaded.model).answer_log_probs(batch)
    content = [{"type": "image", "image": examples[1].picture()}, {"type": "text", "text": examples[1].question}]
    whole = loaded.processor.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=True, return_dict=True, return_tensors="pt"
    )
    assert whole.keys() <= seen.keys()
    assert {"input_ids", "attention_mask", "pixel_values"} <= seen.keys()
    assert "labels" not in seen  # the model's own loss is neither wanted nor right
    assert seen["use_cache"] is False


# Inputs beside tokens and pixels: what each family would say without one, it would say without a word.
FURTHER = {
    "qwen2_5_vl": ("mm_token_type_ids", (84, 84)),  # where each image token stands in the image
    "gemma3": ("token_type_ids", (48, 40)),  # which tokens see each other in both directions
}


@pytest.mark.parametrize("family", FURTHER)
@pytest.mark.parametrize("training", [False, True], ids=["measuring", "training"])
def test_leaving_out_an_input_would_change_what_is_said_without_a_word(family: str, training: bool) -> None:
    name, size = FURTHER[family]
    loaded = ALL_FAMILIES[family]()
    loaded.model.train(training)
    with torch.no_grad():
        for weight in loaded.model.parameters():
            weight.mul_(4)  # positions hardly matter to the near-uniform attention of fresh weights
    batch = loaded.encoder.batch([Example("Where?", "Oslo", tiny.picture(1, size))])
    assert name in batch.inputs
    lacking = {key: value for key, value in batch.inputs.items() if key != name}
    policy = Policy(loaded.model)
    with_all = policy.answer_log_probs(batch)
    without = policy.answer_log_probs(replace(batch, inputs=lacking))
    assert (with_all - without).abs().max() > 1e-3


@every_family
def test_a_model_says_the_same_while_it_trains(build: Build) -> None:
    """None of the families has dropout of its own, and their masks do not depend on the mode."""
    loaded = build()
    batch, policy = loaded.encoder.batch(tiny.examples(5)), Policy(loaded.model)
    loaded.model.eval()
    measured = policy.answer_log_probs(batch)
    loaded.model.train()
    assert torch.equal(policy.answer_log_probs(batch), measured)


@every_family
def test_weights_in_bfloat16_take_pixels_as_processors_give_them(build: Build) -> None:
    loaded = build()
    batch, policy = loaded.encoder.batch(tiny.examples(5)), Policy(loaded.model)
    exact = policy.answer_log_probs(batch)
    loaded.model.to(torch.bfloat16)
    rounded = policy.token_log_probs(batch).values
    assert rounded.dtype == torch.float32
    assert (rounded.sum(-1) - exact).abs().max() < 0.3


@every_family
def test_log_probs_are_those_of_the_processors_own_right_padded_batch(build: Build) -> None:
    """Whole conversations through the processor, padded on the other side, and the labels found by their text."""
    loaded, examples = build(), tiny.examples(5)
    own = Policy(loaded.model).token_log_probs(loaded.encoder.batch(examples))
    rows = [loaded.encoder.encode(example) for example in examples]
    loaded.processor.tokenizer.padding_side = "right"
    turns = [
        [{"role": "user", "content": [*pictures(example), {"type": "text", "text": example.question}]},
         {"role": "assistant", "content": [{"type": "text", "text": example.answer}]}]
        for example in examples
    ]  # fmt: skip
    inputs = loaded.processor.apply_chat_template(
        turns, tokenize=True, return_dict=True, return_tensors="pt",
        processor_kwargs={"padding": True, "padding_side": "right"},
    )  # fmt: skip
    with torch.no_grad():
        logits = loaded.model(**inputs).logits.log_softmax(-1)
    for number, row in enumerate(rows):
        start = len(row.prompt_ids)
        shared = len(row.answer_ids) - (build is tiny.llava)  # its template writes no end of turn
        answer = inputs["input_ids"][number, start : start + shared]
        assert torch.equal(answer, row.answer_ids[:shared])
        expected = logits[number, start - 1 : start - 1 + shared].gather(-1, answer.unsqueeze(-1)).squeeze(-1)
        found = own.values[number][own.mask[number]][:shared]
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def pictures(example: Example) -> list[dict[str, Any]]:
    return [] if example.image is None else [{"type": "image", "image": example.picture()}]


@every_family
def test_the_image_and_the_question_matter(build: Build) -> None:
    loaded = build()
    policy = Policy(loaded.model)
    asked = Example("Where does this person live?", "Oslo", tiny.picture(1))
    base, picture, question = (
        policy.answer_log_probs(loaded.encoder.batch([example])).item()
        for example in (asked, replace(asked, image=tiny.picture(2)), replace(asked, question="What is the colour?"))
    )
    assert abs(base - picture) > 1e-4
    assert abs(base - question) > 1e-4


@every_family
def test_gradients_flow_through_the_answers_alone(build: Build) -> None:
    loaded = build()
    batch = loaded.encoder.batch(tiny.examples(4))
    values = Policy(loaded.model).token_log_probs(batch).values
    values.sum().backward()
    model: Any = loaded.model
    head = model.get_output_embeddings().weight
    assert head.grad is not None
    assert torch.isfinite(head.grad).all()
    assert head.grad.abs().sum() > 0
