"""From examples to model inputs: the processor's own tokens, and labels that hold the answer alone.

- Every example goes through the processor's chat template by itself; rows are joined afterwards. What a row
  becomes therefore never depends on its neighbours, and encoded rows can be kept and reused.
- A row is `prompt + answer + end of turn`. Only the last two are labels: the prompt, the image placeholders and
  the padding are not. The end of turn is a label because a model that forgets must still know when to stop.
- Whatever else the processor returns (`pixel_values`, `image_grid_thw`, `mm_token_type_ids`, ...) is forwarded
  untouched. Leaving one out changes the logits of some families without a word.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unsee.data.example import Example
from unsee.errors import InputError
from unsee.vlm.batch import Batch, Encoded, join, join_spans


class Encoder:
    """Turns examples into tensors with a model's own processor and chat template.

    Args:
        processor: a transformers processor with a tokenizer and a chat template.
        end_of_turn_ids: the tokens on which the model's generation stops; the tokenizer's end of sequence when empty.
        keep: how many encoded rows to keep in memory; images shared by kept rows are held once.
        keep_bytes: how much their images may take; a single one of high resolution is tens of megabytes.

    Raises:
        InputError: when the processor has no tokenizer, no chat template or no end of sequence.
    """

    def __init__(
        self, processor: Any, end_of_turn_ids: Iterable[int] = (), keep: int = 16384, keep_bytes: int = 2**31
    ) -> None:
        self.processor = processor
        self.tokenizer: Any = getattr(processor, "tokenizer", None)
        if self.tokenizer is None:
            raise InputError(
                f"{type(processor).__name__} has no tokenizer: give the processor of a vision-language model"
            )
        if not getattr(processor, "chat_template", None):
            raise InputError(
                f"{type(processor).__name__} has no chat template: add chat_template.jinja to the model's folder"
            )
        eos = self.tokenizer.eos_token_id
        if eos is None:
            raise InputError("the tokenizer has no end-of-sequence token: set eos_token in tokenizer_config.json")
        self.eos_token_id: int = int(eos)
        self.end_of_turn_ids = frozenset(end_of_turn_ids) | {self.eos_token_id}
        pad = self.tokenizer.pad_token_id
        self.pad_token_id: int = int(pad) if pad is not None else self.eos_token_id
        # What templates write and what it is replaced by need not be the same token (Gemma 3).
        named = [getattr(owner, f"{kind}_token", None) for owner in (processor, self.tokenizer) for kind in _MEDIA]
        self.placeholders = tuple(dict.fromkeys(token for token in named if token))
        self._special = _any_of({*self.placeholders, *_special_tokens(self.tokenizer)})
        self._keep, self._keep_bytes, self._held_bytes = keep, keep_bytes, 0
        self._sizes: dict[tuple[Any, ...], int] = {}
        self._rows: OrderedDict[tuple[Any, ...], Encoded] = OrderedDict()
        self._images: dict[tuple[Any, ...], dict[str, Tensor]] = {}
        self._answers: OrderedDict[tuple[Any, ...], list[int]] = OrderedDict()
        self._span_places: dict[Example, list[tuple[int, int]]] = {}

    def encode(self, example: Example) -> Encoded:
        """Encode one example, or take it from memory."""
        key = (example.image, example.question, example.answer)
        if key in self._rows:
            self._rows.move_to_end(key)
            return self._rows[key]
        known = len(self._images)
        row = self._encode(example)
        self._rows[key] = row
        self._sizes[key] = sum(value.nbytes for value in row.per_image.values()) if len(self._images) > known else 0
        self._held_bytes += self._sizes[key]
        while len(self._rows) > self._keep or (self._held_bytes > self._keep_bytes and len(self._rows) > 1):
            oldest, _ = self._rows.popitem(last=False)
            self._held_bytes -= self._sizes.pop(oldest)
            self._images.clear()  # shared images live on in the rows that hold them
        return row

    def _encode(self, example: Example) -> Encoded:
        self._refuse(example)
        prompt = self._tokenised_prompt(example)
        length = prompt["input_ids"].shape[-1]
        per_token = {k: v[0] for k, v in prompt.items() if k not in _TEXT and _is_per_token(k, v, length)}
        per_image = {k: v for k, v in prompt.items() if k not in _TEXT and k not in per_token}
        if per_image:
            shared = self._images.setdefault((example.image,), per_image)
            per_image = shared if _same(shared, per_image) else per_image
        return Encoded(
            prompt_ids=prompt["input_ids"][0],
            answer_ids=torch.tensor(self.answer_ids(example), dtype=torch.long),
            per_token=per_token,
            per_image=per_image,
        )

    def _tokenised_prompt(self, example: Example) -> dict[str, Tensor]:
        picture = example.picture()
        content: list[dict[str, Any]] = [] if picture is None else [{"type": "image", "image": picture}]
        content.append({"type": "text", "text": example.question})
        try:
            encoded = self.processor.apply_chat_template(
                [{"role": "user", "content": content}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            )
        except ValueError as error:  # a picture hundreds of times as wide as high, say
            what = example.image if isinstance(example.image, Path) else f"row {example.question[:60]!r}"
            raise InputError(f"{what}: {type(self.processor).__name__} refuses it ({error})") from error
        return {name: value for name, value in encoded.items() if isinstance(value, Tensor)}

    def answer_ids(self, example: Example) -> list[int]:
        """Tokens of the answer as the chat template writes it after the prompt, up to and with the end of turn."""
        prompt, whole = self.texts(example)
        if whole.startswith(prompt):
            # Tokenised together where that splits cleanly at the border, so that a space between prompt and answer
            # becomes what the model itself would generate there.
            whole = whole if self._ends_turn(whole[len(prompt) :]) else whole.rstrip()
            prompt_ids, whole_ids = self._ids(prompt), self._ids(whole)
            clean = whole_ids[: len(prompt_ids)] == prompt_ids
            tail = whole_ids[len(prompt_ids) :] if clean else self._ids(whole[len(prompt) :])
        else:  # the generation prompt holds more than the template writes before an answer (an empty thought, say)
            tail = self._ids(example.answer + self._after_answer(example))
        return self._until_end_of_turn(tail)

    def candidate_ids(self, example: Example) -> list[int]:
        """As `answer_ids`, for one of many answers to the same question: kept in memory, and refused as `encode` does.

        Raises:
            InputError: as for `encode`, because of what the question or the answer says.
        """
        key = (example.image is None, example.question, example.answer)
        if key not in self._answers:
            self._refuse(example)
            self._answers[key] = self.answer_ids(example)
            if len(self._answers) > 8 * self._keep:  # a row has a handful of them, each a few numbers
                self._answers.popitem(last=False)
        return self._answers[key]

    def texts(self, example: Example) -> tuple[str, str]:
        """The chat template rendered up to the answer, and with it."""
        content: list[dict[str, Any]] = [] if example.image is None else [{"type": "image"}]
        content.append({"type": "text", "text": example.question})
        user = {"role": "user", "content": content}
        assistant = {"role": "assistant", "content": [{"type": "text", "text": example.answer}]}
        prompt = self.processor.apply_chat_template([user], add_generation_prompt=True, tokenize=False)
        whole = self.processor.apply_chat_template([user, assistant], add_generation_prompt=False, tokenize=False)
        return prompt, whole

    def _after_answer(self, example: Example) -> str:
        """What the template writes behind an answer; found by a stand-in, as the answer may occur in there itself."""
        stand_in = "\ue000"  # for private use: in no template
        return self.texts(replace(example, answer=stand_in))[1].rpartition(stand_in)[2]

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _ends_turn(self, text: str) -> bool:
        return any(token in self.end_of_turn_ids for token in self._ids(text))

    def _until_end_of_turn(self, ids: list[int]) -> list[int]:
        for place, token in enumerate(ids):
            if token in self.end_of_turn_ids:
                return ids[: place + 1]
        return [*ids, self.eos_token_id]

    def check(self, examples: Iterable[Example], name: str = "rows", skip: Container[int] = ()) -> None:
        """InputError for the first example that cannot be encoded because of what it says, in any of its answers.

        Args:
            examples: looked at in order.
            name: what an error message calls them, such as their file.
            skip: numbers of rows, from 1, that are not looked at.
        """
        for number, example in enumerate(examples, start=1):
            if number in skip:
                continue
            try:
                self._refuse(example)
                for answer in (*example.paraphrased_answers, *example.perturbed_answers, *example.choices):
                    self._refuse(replace(example, answer=answer))
            except InputError as error:
                raise InputError(f"{name}, row {number}, {error}") from None

    def _refuse(self, example: Example) -> None:
        for key in ("question", "answer"):
            text = getattr(example, key)
            for token in self.placeholders:
                if token in text:
                    raise InputError(
                        f"{key} {text[:60]!r} holds the model's placeholder {token}: "
                        "leave it out, the chat template adds it for rows with an image"
                    )
        if self._ends_turn(example.answer):
            raise InputError(
                f"answer {example.answer[:60]!r} holds the model's end of turn, where it would be cut: leave that out, "
                "the chat template adds it"
            )
        if example.spans and (special := self.special_in(example.answer)):
            raise InputError(f"answer {example.answer[:60]!r} holds the model's special token {special}: leave it out")

    def special_in(self, text: str) -> str | None:
        """The first token in a text that the model would not read as words (`<image>`, `</s>`); None without any."""
        found = self._special.search(text)
        if found:
            return found.group()
        ending = next((token for token in self._ids(text) if token in self.end_of_turn_ids), None)
        return None if ending is None else self.tokenizer.decode([ending])

    def batch(
        self, examples: Sequence[Example], indices: Sequence[int] | None = None, with_answers: bool = True
    ) -> Batch:
        """Encode and join examples; without answers the rows end where generation starts.

        Args:
            examples: at least one.
            indices: place of each example in its set; 0, 1, ... when not given.
            with_answers: False leaves the answers out of the inputs (the labels still hold them).
        """
        rows = [self.encode(example) for example in examples]
        places = list(range(len(rows))) if indices is None else list(indices)
        joined = join(rows, self.pad_token_id, places, with_answers)
        if not any(example.spans for example in examples):
            return joined
        width = joined.labels.shape[1]
        found = [
            [(first + width - len(row.answer_ids), last + width - len(row.answer_ids)) for first, last in spans]
            for row, spans in zip(rows, map(self.span_places, examples), strict=True)
        ]
        return replace(joined, spans=join_spans(examples, found))

    def span_places(self, example: Example) -> list[tuple[int, int]]:
        """Which tokens of the answer each span of an example is in: the first, and the one behind the last.

        A token belongs to a span when it shares a character with it that is no white space. A sentence takes the end
        of turn with it.

        Raises:
            InputError: when a span holds no token, or the tokenizer does not tell which characters its tokens are of.
        """
        if example not in self._span_places:
            self._span_places[example] = list(self._find_spans(example))
        return self._span_places[example]

    def _find_spans(self, example: Example) -> Iterator[tuple[int, int]]:
        ids = self.answer_ids(example)
        offsets = self._answer_offsets(example, len(ids))
        for span in example.spans:
            if span.role == "sentence":
                yield 0, len(ids)
                continue
            text = example.answer[span.start : span.end]
            start = span.start + len(text) - len(text.lstrip())
            end = span.start + len(text.rstrip())
            inside = [n for n, (first, last) in enumerate(offsets) if max(first, start) < min(last, end)]
            if not inside:
                raise InputError(f"answer {example.answer[:60]!r}: no token lies in its characters [{start}, {end})")
            yield inside[0], inside[-1] + 1

    def _answer_offsets(self, example: Example, count: int) -> list[tuple[int, int]]:
        """The characters of the answer that each of its first tokens is of; tokens behind the answer have none."""
        if not getattr(self.tokenizer, "is_fast", False):
            raise InputError(f"{type(self.tokenizer).__name__} does not tell which characters a token is of")
        prompt, whole = self.texts(example)
        start = len(prompt) if whole.startswith(prompt) else whole.rfind(example.answer)
        whole = whole if self._ends_turn(whole[start:]) else whole.rstrip()
        answer = whole.index(example.answer.strip(), start) - (len(example.answer) - len(example.answer.lstrip()))
        whole_ids, prompt_ids = self._ids(whole), self._ids(whole[:start])
        if whole_ids[: len(prompt_ids)] == prompt_ids:
            text, shift, skip = whole, answer, len(prompt_ids)
        else:
            text, shift, skip = whole[start:], answer - start, 0
        found = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        return [(first - shift, last - shift) for first, last in found[skip : skip + count]]


def _special_tokens(tokenizer: Any) -> Iterator[str]:
    """What a tokenizer takes out of a text before it looks at words."""
    yield from tokenizer.all_special_tokens
    for token in getattr(tokenizer, "added_tokens_decoder", {}).values():
        if token.special:
            yield token.content


def _any_of(tokens: Iterable[str]) -> re.Pattern[str]:
    """Finds the first of some tokens, and the longest where several start."""
    return re.compile("|".join(map(re.escape, sorted(filter(None, tokens), key=len, reverse=True))))


_TEXT = ("input_ids", "attention_mask")
_MEDIA = ("image", "video")


def _is_per_token(name: str, value: Tensor, length: int) -> bool:
    return name.endswith("_ids") and value.dim() == 2 and value.shape == (1, length)


def _same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)
