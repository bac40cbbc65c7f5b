"""From examples to model inputs: the processor's own tokens, and labels that hold the answer alone.

- Every example goes through the processor's chat template by itself (`unsee.vlm.template`); rows are joined
  afterwards. What a row becomes therefore never depends on its neighbours, and encoded rows can be kept and reused.
- A row is `prompt + answer + end of turn`. Only the last two are labels: the prompt, the image placeholders and
  the padding are not. The end of turn is a label because a model that forgets must still know when to stop.
- Whatever else the processor returns (`pixel_values`, `image_grid_thw`, `mm_token_type_ids`, ...) is forwarded
  untouched. Leaving one out changes the logits of some families without a word.
"""

from __future__ import annotations

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
from unsee.vlm.template import ChatTemplate
from unsee.vlm.tokens import WHOLE, Tokens


class Encoder:
    """Turns examples into tensors with a model's own processor and chat template.

    Args:
        processor: a transformers processor with a tokenizer and a chat template.
        end_of_turn_ids: the tokens on which the model's generation stops; the tokenizer's end of sequence when empty.
        keep: how many encoded rows to keep in memory; images shared by kept rows are held once.
        keep_bytes: how much their images may take; a single one of high resolution is tens of megabytes.

    Raises:
        InputError: when the processor has no tokenizer, no end of sequence, or no chat template that writes a question
            and its answer.

    Attributes:
        notices: what was put right or passed over in the processor's files, one line each.
    """

    def __init__(
        self, processor: Any, end_of_turn_ids: Iterable[int] = (), keep: int = 16384, keep_bytes: int = 2**31
    ) -> None:
        self.processor = processor
        tokens = self._tokens = Tokens(processor, end_of_turn_ids)
        if not getattr(processor, "chat_template", None):
            raise InputError(
                f"{type(processor).__name__} has no chat template: add chat_template.jinja to the model's folder"
            )
        self.tokenizer, self.end_of_turn_ids = tokens.tokenizer, tokens.end_of_turn_ids
        self.eos_token_id, self.pad_token_id = tokens.eos_token_id, tokens.pad_token_id
        self.placeholders = tokens.placeholders
        self._template = ChatTemplate(processor, tokens.special, tokens.ends)
        self._start = tokens.start(self._template.written())
        self.notices = (*tokens.notices, *self._template.notices)
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
        try:
            encoded = self.processor(
                text=self.texts(example)[0],
                images=None if picture is None else [[picture]],
                add_special_tokens=self._start.added,
                return_tensors="pt",
                **WHOLE,
            )
        except ValueError as error:  # a picture hundreds of times as wide as high, say
            what = example.image if isinstance(example.image, Path) else f"row {example.question[:60]!r}"
            raise InputError(f"{what}: {type(self.processor).__name__} refuses it ({error})") from error
        found = {name: value for name, value in encoded.items() if isinstance(value, Tensor)}
        if self._start.behind:  # what the tokenizer adds behind a text would stand between prompt and answer
            length = found["input_ids"].shape[-1]
            own = [name for name, value in found.items() if name in _TEXT or _is_per_token(name, value, length)]
            found |= {name: found[name][:, : -self._start.behind] for name in own}
        return found

    def answer_ids(self, example: Example) -> list[int]:
        """Tokens of the answer as it stands behind the prompt, up to and with the end of turn."""
        prompt, whole = self.texts(example)
        # Tokenised together where that splits cleanly at the border, so that a space between prompt and answer becomes
        # what the model itself would generate there.
        prompt_ids, whole_ids = self._tokens.ids(prompt), self._tokens.ids(whole)
        clean = whole_ids[: len(prompt_ids)] == prompt_ids
        tail = whole_ids[len(prompt_ids) :] if clean else self._tokens.ids(whole[len(prompt) :])
        return self._tokens.until_end_of_turn(tail)

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
        """The prompt of an example, and the prompt with its answer, up to the end of the turn.

        White space round a question or an answer never counts.

        Raises:
            InputError: when the chat template cannot write a row of this kind.
        """
        has_image = example.image is not None
        prompt = self._start.written + self._template.prompt(example.question.strip(), has_image)
        return prompt, self._template.answered(prompt, example.answer.strip(), has_image)

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
        self.texts(example)
        for key in ("question", "answer"):
            text = getattr(example, key)
            for token in self.placeholders:
                if token in text:
                    raise InputError(
                        f"{key} {text[:60]!r} holds the model's placeholder {token}: "
                        "leave it out, the chat template adds it for rows with an image"
                    )
        if self._tokens.ends_turn(example.answer):
            raise InputError(
                f"answer {example.answer[:60]!r} holds the model's end of turn, where it would be cut: leave that out, "
                "the chat template adds it"
            )
        if example.spans and (special := self.special_in(example.answer)):
            raise InputError(f"answer {example.answer[:60]!r} holds the model's special token {special}: leave it out")

    def special_in(self, text: str) -> str | None:
        """The first token in a text that the model would not read as words (`<image>`, `</s>`); None without any."""
        return self._tokens.special_in(text)

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
        stripped = example.answer.lstrip()
        answer = whole.index(stripped.rstrip(), len(prompt)) - (len(example.answer) - len(stripped))
        whole_ids, prompt_ids = self._tokens.ids(whole), self._tokens.ids(prompt)
        if whole_ids[: len(prompt_ids)] == prompt_ids:
            text, shift, skip = whole, answer, len(prompt_ids)
        else:
            text, shift, skip = whole[len(prompt) :], answer - len(prompt), 0
        found = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, **WHOLE)["offset_mapping"]
        return [(first - shift, last - shift) for first, last in found[skip : skip + count]]


_TEXT = ("input_ids", "attention_mask")


def _is_per_token(name: str, value: Tensor, length: int) -> bool:
    return name.endswith("_ids") and value.dim() == 2 and value.shape == (1, length)


def _same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)
