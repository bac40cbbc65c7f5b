"""Many answers to one question: the image and the question are read once, whatever the number of answers.

The true answer, its paraphrases, wrong answers and options all follow the same prompt. The prompt passes through the
model once, its keys and values are kept, and every answer continues from them:

- prompts are padded on the left and answers on the right, so that an answer sits right behind its prompt;
- the first token of every answer is judged by the prompt's own last logits, so an answer of n tokens takes n - 1;
- the tokens are those of `Encoder`: whole rows are `prompt_ids + answer_ids` there too, with a prompt that no answer
  changes, and log-probabilities are those of scoring each row by itself, up to rounding;
- positions behind the prompt are given where a family counts them its own way (multimodal rotary positions).

Not every model lets its past be shared: recurrent layers (Mamba, linear attention) write into their state in place.
That is found out before anything relies on it, from the kind of cache and by scoring a first pair of answers both ways;
such a model scores every answer with a whole pass of its own, which is slower and says the same.
"""

from __future__ import annotations

import copy
import inspect
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from unsee.data.example import Example
from unsee.system import processes
from unsee.vlm.encoding import Encoder
from unsee.vlm.policy import Policy, answer_scores, innermost
from unsee.vlm.sharded import is_sharded

# Layers that grow by making new tensors, which leaves a copy that shares the old ones as it was.
_SHAREABLE = (DynamicLayer, DynamicSlidingWindowLayer)
TOKENS_AT_ONCE = 4096  # of the past that a pass over answers copies at most; one answer a row needs no copy


class AnswerScore(NamedTuple):
    """How likely one answer is.

    Attributes:
        log_prob: of the answer with its end of turn, summed over tokens; nats.
        tokens: of the answer, the end of turn with them.
    """

    log_prob: float
    tokens: int


class Scorer:
    """Scores several answers to each example.

    Args:
        model: a transformers or PEFT model in evaluation mode.
        encoder: made from the model's processor.
        share: False scores every answer with a pass of its own.
    """

    def __init__(self, model: nn.Module, encoder: Encoder, share: bool = True) -> None:
        self.model, self.encoder = model, encoder
        self.device = next(model.parameters()).device
        self.shares: bool | None = None if share else False  # None until the first pair of answers has told
        self._cuts_logits = "logits_to_keep" in inspect.signature(innermost(model).forward).parameters

    @torch.no_grad()
    def __call__(self, examples: Sequence[Example], answers: Sequence[Sequence[str]]) -> list[list[AnswerScore]]:
        """Log-probability of every answer to every example.

        Args:
            examples: asked in one batch; their own answers play no part.
            answers: any number for each example; a wording that comes twice is scored once.

        Returns:
            For each example its answers' scores, in their order.

        Raises:
            InputError: an answer holds an image placeholder or the end of a turn.
        """
        pairs = [(row, text) for row, texts in enumerate(answers) for text in dict.fromkeys(texts)]
        several = any(len(set(texts)) > 1 for texts in answers)
        if several and self.shares is None:
            self._try(examples, pairs)
        scores = self._shared(examples, pairs) if several and self.shares else {}
        scores = scores or self._one_by_one(examples, pairs)
        return [[scores[row, text] for text in texts] for row, texts in enumerate(answers)]

    def _try(self, examples: Sequence[Example], pairs: Sequence[tuple[int, str]]) -> None:
        """Score two answers to one example both ways, to see whether this model's past can be shared."""
        times = Counter(row for row, _ in pairs)
        # An image is where positions are hard to get right.
        chosen = max((row for row in times if times[row] > 1), key=lambda row: examples[row].image is not None)
        example, both = [examples[chosen]], [(0, text) for row, text in pairs if row == chosen][:2]
        # Tried on the model at hand, since no list of families stays complete; 2 answers, once per scorer.
        alone, shared = self._one_by_one(example, both), self._shared(example, both)
        exact = next(self.model.parameters()).dtype == torch.float32
        shares = bool(shared) and all(_agree(alone[pair], shared[pair], exact) for pair in both)
        self.shares = processes.agreed(shares) if is_sharded(self.model) else shares

    def _one_by_one(
        self, examples: Sequence[Example], pairs: Sequence[tuple[int, str]]
    ) -> dict[tuple[int, str], AnswerScore]:
        scored: dict[tuple[int, str], AnswerScore] = {}
        policy, size = Policy(self.model), max(1, len(examples))
        for start in range(0, len(pairs), size):
            chosen = pairs[start : start + size]
            rows = [replace(examples[row], answer=text) for row, text in chosen]
            log_probs, tokens = answer_scores(policy, self.encoder.batch(rows).to(self.device))
            scores = zip(chosen, log_probs.tolist(), tokens.tolist(), strict=True)
            scored |= {pair: AnswerScore(log_prob, count) for pair, log_prob, count in scores}
        return scored

    def _shared(
        self, examples: Sequence[Example], pairs: Sequence[tuple[int, str]]
    ) -> dict[tuple[int, str], AnswerScore]:
        """As `_one_by_one`; empty when the model's past cannot be shared."""
        ids = [self.encoder.candidate_ids(replace(examples[row], answer=text)) for row, text in pairs]
        prompt = self._read(examples)
        if prompt is None:
            return {}
        scored: dict[tuple[int, str], AnswerScore] = {}
        for places in _groups([row for row, _ in pairs], ids, TOKENS_AT_ONCE // prompt.mask.shape[1]):
            sums = self._continue(prompt, [pairs[place][0] for place in places], [ids[place] for place in places])
            scores = zip(places, sums.tolist(), strict=True)
            scored |= {pairs[place]: AnswerScore(log_prob, len(ids[place])) for place, log_prob in scores}
        return scored

    def _read(self, examples: Sequence[Example]) -> _Prompt | None:
        """Pass images and questions through the model; None when what it keeps of them cannot be shared."""
        inputs = self.encoder.batch(examples, with_answers=False).to(self.device).inputs
        shape = inputs["input_ids"].shape
        if any(value.dim() > 2 and value.shape[:2] == shape for value in inputs.values()):
            return None  # tokens say which images they see, and the past does not know of it
        counting: Any = next((module for module in self.model.modules() if hasattr(module, "rope_deltas")), None)
        # Qwen2-VL and its kin count an image's positions in three axes (time, height, width), so the token behind an
        # image has a smaller position than its place: `rope_deltas`, (batch, 1), is the difference, kept on the module.
        if counting is not None:
            counting.rope_deltas = None  # of an earlier batch; rows in words alone would leave it there
        extra: dict[str, Any] = {"logits_to_keep": 1} if self._cuts_logits else {}
        output = self.model(**inputs, **extra, use_cache=True)
        past = getattr(output, "past_key_values", None)
        if not isinstance(past, DynamicCache) or not all(map(_is_shareable, past.layers)):
            return None
        mask, offset = inputs["attention_mask"], None  # (batch, prompt), padded on the left
        if counting is not None:
            missing = torch.zeros(len(examples), 1, dtype=torch.long, device=mask.device)
            offset = mask.sum(-1, keepdim=True) + (missing if counting.rope_deltas is None else counting.rope_deltas)
        return _Prompt(past, mask, output.logits[:, -1].float(), offset)

    def _continue(self, prompt: _Prompt, rows: Sequence[int], answers: Sequence[Sequence[int]]) -> Tensor:
        """Summed log-probability of answers, each behind the prompt of its row; shape (answers,)."""
        index = torch.tensor(rows, device=self.device)
        longest = max(map(len, answers))
        # (answers, longest), padded on the right: an answer has to begin right behind its prompt. -1 is no token of any
        # vocabulary, so it marks the padding even where the pad token is the end of turn, which is scored.
        words = torch.tensor([[*ids, *[-1] * (longest - len(ids))] for ids in answers], device=self.device)
        is_word = words >= 0
        words = words.clamp(min=0)
        total = _log_probs(prompt.logits[index], words[:, 0])  # (answers,); the prompt predicts the first token
        if longest == 1:
            return total
        inputs: dict[str, Any] = {}
        if prompt.offset is not None:  # text advances all three axes alike: (3, answers, longest - 1)
            positions = prompt.offset[index] + torch.arange(longest - 1, device=self.device)
            inputs["position_ids"] = positions.expand(3, -1, -1)
        # Tokens 0 to n - 2 go in and predict 1 to n - 1; the mask covers past and new: (answers, prompt + longest - 1).
        logits = self.model(
            input_ids=words[:, :-1].masked_fill(~is_word[:, :-1], self.encoder.pad_token_id),
            attention_mask=torch.cat([prompt.mask[index], is_word[:, :-1].to(prompt.mask.dtype)], dim=-1),
            past_key_values=_branch(prompt.past, index, len(prompt.mask)),
            use_cache=True,
            **inputs,
        ).logits.float()
        return total + _log_probs(logits, words[:, 1:]).masked_fill(~is_word[:, 1:], 0.0).sum(-1)


def _is_shareable(layer: Any) -> bool:
    return type(layer) in _SHAREABLE and layer.is_initialized  # a layer that was left out holds nothing


class _Prompt(NamedTuple):
    """What a model keeps of the prompts of a batch."""

    past: DynamicCache
    mask: Tensor  # 1 at tokens, 0 at padding; shape (batch, time)
    logits: Tensor  # behind the last token; shape (batch, vocabulary), float32
    offset: Tensor | None  # position of the next token where a family counts its own way; shape (batch, 1)


def _groups(rows: Sequence[int], answers: Sequence[Sequence[int]], most: int) -> list[list[int]]:
    """Places of the answers that share a pass: the longest of every row, the second longest of every row, ...

    As many of these as `most` answers allow go together, and one at least.
    """
    ranks: list[list[int]] = []
    taken: Counter[int] = Counter()
    for place in sorted(range(len(rows)), key=lambda place: (-len(answers[place]), rows[place])):
        rank = taken[rows[place]]
        taken[rows[place]] += 1
        if rank == len(ranks):
            ranks.append([])
        ranks[rank].append(place)
    groups: list[list[int]] = []
    for rank_places in ranks:
        places = sorted(rank_places, key=lambda place: rows[place])  # rows in their order need no copy of the past
        if groups and len(groups[-1]) + len(places) <= most:
            groups[-1].extend(places)
        else:
            groups.append(places)
    return groups


def _branch(past: DynamicCache, index: Tensor, rows: int) -> DynamicCache:
    """The past of some rows, to go on from; the given one stays as it is."""
    # Shallow copies will do: `_SHAREABLE` layers append by making new tensors and never write into the old ones.
    branch = copy.copy(past)
    in_order = torch.arange(rows, device=index.device)
    each, over = divmod(len(index), rows)
    alike = not over and bool((index == in_order.repeat_interleave(each)).all())
    if alike and all(type(layer) is DynamicLayer for layer in past.layers):
        branch.layers = [_Joined(cast(DynamicLayer, layer), each) for layer in past.layers]
        return branch
    branch.layers = [copy.copy(layer) for layer in past.layers]
    if each != 1 or not alike:
        branch.reorder_cache(cast(torch.LongTensor, index))  # faster than `batch_select_indices`
    return branch


class _Joined(DynamicLayer):
    """A layer's past under as many answers for every row, which are joined to it without copying it first."""

    def __init__(self, layer: DynamicLayer, each: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.is_initialized, self.dtype, self.device = True, layer.dtype, layer.device
        assert layer.keys is not None
        assert layer.values is not None
        # (rows, heads, time, width) -> (rows, each, heads, time, width), a view: `each` answers see one past.
        self.keys = layer.keys.unsqueeze(1).expand(-1, each, -1, -1, -1)
        self.values = layer.values.unsqueeze(1).expand(-1, each, -1, -1, -1)

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """The past and what is new; shape (answers, heads, time, width)."""
        assert self.keys is not None
        assert self.values is not None
        joined = []
        # New: (rows * each, heads, new, width), unfolded to meet the view. This `cat` is the only copy of the past.
        for past, new in ((self.keys, key_states), (self.values, value_states)):
            joined.append(torch.cat([past, new.unflatten(0, past.shape[:2])], dim=-2).flatten(0, 1))
        self.keys, self.values = joined[0].unsqueeze(1), joined[1].unsqueeze(1)  # should more follow
        return joined[0], joined[1]


def _log_probs(logits: Tensor, words: Tensor) -> Tensor:
    # (..., vocabulary) and (...) -> (...): one number less logsumexp, without a log-softmax as large as the logits
    return logits.gather(-1, words.unsqueeze(-1)).squeeze(-1) - logits.logsumexp(-1)


def _agree(score: AnswerScore, other: AnswerScore, exact: bool) -> bool:
    """Whether two ways of scoring differ by rounding alone; a broken model that says NaN says it both ways."""
    # Nats per token. 1e-4 is far above float32's rounding and far below a wrong position; half precision needs more.
    difference = abs(score.log_prob - other.log_prob) / score.tokens
    return not difference > (1e-4 if exact else 0.1)
