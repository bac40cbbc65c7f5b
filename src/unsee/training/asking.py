"""Asking a model in the middle of its training: who is right, by the words that it says."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from unsee.data.example import Example
from unsee.metrics.answers import exact_match, normalise
from unsee.system import processes
from unsee.vlm.encoding import Encoder
from unsee.vlm.generate import Said, answers
from unsee.vlm.policy import Policy
from unsee.vlm.sharded import as_one, share

MORE = 4  # tokens beyond the longest expected answer, so that one which goes on is seen to


@torch.no_grad()
def right_answers(policy: Policy, encoder: Encoder, examples: Sequence[Example], batch_size: int) -> list[bool]:
    """Whether a model is right about each example, asked greedily as `unsee.evaluation.measure` asks.

    An answer is right where it matches exactly; one that is expected to name its subject among other words (a caption),
    where it names the subject: clothes and walls can be described without knowing anybody. A question that names the
    subject gives the name away, and asks for something else.

    Args:
        policy: of the model, which is put into evaluation mode and back; the random numbers stay what they were.
        encoder: of the model.
        examples: what to ask.
        batch_size: examples per forward pass.

    Returns:
        One for each example, in order. Several processes do a share each, and all have all of them.
    """
    model, was_training = policy.model, policy.model.training
    model.eval()
    lengths = [_tokens(encoder, example) for example in examples]
    # Short answers together: a batch goes on until its longest has ended.
    order = sorted(range(len(examples)), key=lambda place: (examples[place].image is None, lengths[place]))
    right: dict[int, bool] = {}
    try:
        with as_one(model):
            for start in share(model, range(0, len(order), batch_size)):
                places = order[start : start + batch_size]
                batch = [examples[place] for place in places]
                room = max(lengths[place] for place in places) + MORE
                with policy.autocast():
                    replies = answers(model, encoder, batch, room)
                for place, said in zip(places, replies, strict=True):
                    right[place] = _is_right(examples[place], said)
    finally:
        model.train(was_training)
    right = processes.together(right)
    return [right[place] for place in range(len(examples))]


def _tokens(encoder: Encoder, example: Example) -> int:
    """Of the longest right answer, with its end of turn."""
    texts = [example.answer, *example.paraphrased_answers]
    return 1 + max(map(len, encoder.tokenizer(texts, add_special_tokens=False)["input_ids"]))


def _is_right(example: Example, said: Said) -> bool:
    name, question = normalise(example.subject or ""), normalise(example.question)
    expected, answer = normalise(example.answer), normalise(said.text)
    if name and name in expected and name != expected and name not in question:
        return name in answer
    return not said.truncated and exact_match(said.text, example.answer, example.paraphrased_answers)
