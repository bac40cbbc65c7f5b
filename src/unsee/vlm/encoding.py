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
from PIL import Image
from torch import Tensor

from unsee.data.example import Example
from unsee.data.multiple_choice import multiple_choice
from unsee.errors import InputError
from unsee.system.progress import progress
from unsee.vlm.batch import Batch, Encoded, join, join_spans
from unsee.vlm.lengths import Limits, PictureTokens, at_most, check_shape
from unsee.vlm.template import ChatTemplate
from unsee.vlm.tokens import WHOLE, Tokens


class Encoder:
    """Turns examples into tensors with a model's own processor and chat template.

    Args:
        processor: a transformers processor with a tokenizer and a chat template.
        end_of_turn_ids: the tokens on which the model's generation stops; the tokenizer's end of sequence when empty.
        keep: how many encoded rows to keep in memory; images shared by kept rows are held once.
        keep_bytes: how much their images may take; a single one of high resolution is tens of megabytes.
        limits: what the model takes; see `unsee.vlm.lengths`.

    Raises:
        InputError: when the processor has no tokenizer, no end of sequence, or no chat template that writes a question
            and its answer.

    Attributes:
        notices: what was put right or passed over in the processor's files, one line each.
    """

    def __init__(
        self,
        processor: Any,
        end_of_turn_ids: Iterable[int] = (),
        keep: int = 16384,
        keep_bytes: int = 2**31,
        limits: Limits = Limits(),  # noqa: B008
    ) -> None:
        self.processor = processor
        tokens = self._tokens = Tokens(processor, end_of_turn_ids, limits.vocabulary)
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
        self.limits = limits
        self._picture_tokens = PictureTokens(self._count_picture)
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
        # A row is charged for its images only where they were new: rows about one photograph share the same tensors.
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
        self._tokens.check_known(prompt["input_ids"][0].tolist())
        # Told apart by shape, not by a list of names, so that the inputs of an unknown family come through as well:
        # per token (1, prompt, ...) -> (prompt, ...), padded along with the tokens; per image (images or patches, ...),
        # joined along the first axis.
        per_token = {k: v[0] for k, v in prompt.items() if k not in _TEXT and _is_per_token(k, v, length)}
        per_image = {k: v for k, v in prompt.items() if k not in _TEXT and k not in per_token}
        if per_image:
            # One path does not promise one tensor: the file may have changed since, or the processor read the text too.
            shared = self._images.setdefault((example.image,), per_image)
            per_image = shared if _same(shared, per_image) else per_image
        answer_ids = self.answer_ids(example)
        self._check_length(length, len(answer_ids), 0)
        return Encoded(
            prompt_ids=prompt["input_ids"][0],
            answer_ids=torch.tensor(answer_ids, dtype=torch.long),
            per_token=per_token,
            per_image=per_image,
        )

    def _tokenised_prompt(self, example: Example) -> dict[str, Tensor]:
        picture = example.picture()
        try:
            if picture is not None:
                check_shape(*picture.size)
            return self._processed(self.texts(example)[0], picture)
        except InputError as error:
            what = example.image if isinstance(example.image, Path) else f"row {example.question[:60]!r}"
            raise InputError(f"{what}: {error}") from error

    def _processed(self, prompt: str, picture: Image.Image | None) -> dict[str, Tensor]:
        try:
            encoded = self.processor(
                text=prompt,
                images=None if picture is None else [[picture]],  # rows of images: one row, with one image
                # Only where the template writes no start token: a second one would change every logit behind it.
                add_special_tokens=self._start.added,
                return_tensors="pt",
                **WHOLE,
            )
        # Each processor has its own way to fail on a picture (too narrow, no channels): to its owner it is a bad row.
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            size = "" if picture is None else f" of {picture.width} x {picture.height} pixels"
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{type(self.processor).__name__} refuses it{size} ({reason})") from error
        tensors = {name: value for name, value in encoded.items() if isinstance(value, Tensor)}
        if self._start.behind:  # what the tokenizer adds behind a text would stand between prompt and answer
            length = tensors["input_ids"].shape[-1]
            own = [name for name, value in tensors.items() if name in _TEXT or _is_per_token(name, value, length)]
            tensors |= {name: tensors[name][:, : -self._start.behind] for name in own}
        return tensors

    def _count_picture(self, picture: Image.Image) -> int:
        """Tokens of a prompt with a picture, beyond those of the same prompt with its placeholder alone."""
        prompt = self._with_picture()
        return self._processed(prompt, picture)["input_ids"].shape[-1] - len(self._tokens.ids(prompt))

    def _with_picture(self) -> str:
        return self._start.written + self._template.prompt("Who?", True)

    def shown(self, picture: Image.Image) -> dict[str, Tensor] | None:
        """What the processor makes of a picture and a short question; None where the template shows no pictures.

        Raises:
            InputError: when the processor refuses it.
        """
        try:
            prompt = self._with_picture()
        except InputError:
            return None
        return self._processed(prompt, picture)

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

    def check(
        self, examples: Iterable[Example], name: str = "rows", skip: Container[int] = (), new_tokens: int = 0
    ) -> None:
        """InputError for the first example that cannot be encoded, because of a text, its picture or its length.

        Pictures are not decoded: their headers tell their sizes.

        Args:
            examples: looked at in order.
            name: what an error message calls them, such as their file.
            skip: numbers of rows, from 1, that are not looked at.
            new_tokens: how many tokens the model is to say to each, for which there must be room behind the prompt.
        """
        for number, problem in self.problems(examples, name, skip, new_tokens):
            raise InputError(f"{name}, row {number}, {problem}")

    def problems(
        self, examples: Iterable[Example], name: str = "rows", skip: Container[int] = (), new_tokens: int = 0
    ) -> Iterator[tuple[int, str]]:
        """As `check`, but every row that cannot be encoded, as its number from 1 and what is wrong with it."""
        for number, example in enumerate(progress(examples, f"checking {name}"), start=1):
            if number not in skip:
                try:
                    self.check_row(example, new_tokens)
                except InputError as error:
                    yield number, str(error)

    def check_row(self, example: Example, new_tokens: int = 0) -> None:
        """As `check`, for one example and all of its answers."""
        answers = (example.answer, *example.paraphrased_answers, *example.perturbed_answers, *example.choices)
        for answer in answers:
            self._refuse(replace(example, answer=answer))
        if example.choices and new_tokens:  # asked once more, with letters
            self.check_row(multiple_choice(example), new_tokens)
        picture = 0 if example.image is None else self._picture_tokens(example.image)
        prompt, whole = self.texts(example)
        context = self.limits.context
        if context is None:
            return
        most = picture + at_most(whole) + max(new_tokens, *map(at_most, answers)) + _ADDED
        if most <= context:
            return  # a row has fewer tokens than bytes; few come near the end of a context
        length = self._processed(prompt, example.picture())["input_ids"].shape[-1]
        for answer in answers:
            self._check_length(length, len(self.answer_ids(replace(example, answer=answer))), 0)
        self._check_length(length, 0, new_tokens)

    def _check_length(self, prompt: int, answer: int, new_tokens: int) -> None:
        context = self.limits.context
        if context is not None and prompt + answer + new_tokens > context:
            smaller = "" if answer else ", or set a smaller max_new_tokens"
            behind = f"{answer} of its answer" if answer else f"{new_tokens} for what the model is to say"
            raise InputError(
                f"too long: {prompt} tokens of the prompt, image tokens with them, and {behind} are more than the "
                f"{context} that the model takes; shorten it, use smaller images{smaller}"
            )

    def _refuse(self, example: Example) -> None:
        self._template.frame(example.image is not None)
        for key in ("question", "answer"):
            text = getattr(example, key)
            special = self.special_in(text)
            if special is None:
                continue
            if special in self._tokens.ends and key == "answer":
                what = "the model's end of turn"
            else:
                what = f"the {'placeholder' if special in self.placeholders else 'special token'} {special}"
            raise InputError(f"{key} {text[:60]!r} holds {what}: leave it out, the chat template adds what is needed")

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
        # Labels are right-aligned, (batch, width), while spans are counted from each answer's own start.
        width = joined.labels.shape[1]
        label_spans = [
            [(first + width - len(row.answer_ids), last + width - len(row.answer_ids)) for first, last in spans]
            for row, spans in zip(rows, map(self.span_places, examples), strict=True)
        ]
        return replace(joined, spans=join_spans(examples, label_spans))

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
            if span.role == "sentence":  # with the end of turn: what keeps a caption whole also says where it stops
                yield 0, len(ids)
                continue
            # Many tokenizers put the space before a word into its token; a token that shares that alone is no part.
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
        # Where the answer's character 0 would stand in `whole`, from which white space at its edges was trimmed.
        answer = whole.index(stripped.rstrip(), len(prompt)) - (len(example.answer) - len(stripped))
        whole_ids, prompt_ids = self._tokens.ids(whole), self._tokens.ids(prompt)
        # The same choice as in `answer_ids`, or the offsets would belong to other tokens.
        if whole_ids[: len(prompt_ids)] == prompt_ids:
            text, shift, skip = whole, answer, len(prompt_ids)
        else:
            text, shift, skip = whole[len(prompt) :], answer - len(prompt), 0
        offsets = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, **WHOLE)["offset_mapping"]
        return [(first - shift, last - shift) for first, last in offsets[skip : skip + count]]


_TEXT = ("input_ids", "attention_mask")
_ADDED = 8  # more tokens than a tokenizer or processor adds by itself: start, marks round a picture, line breaks


def _is_per_token(name: str, value: Tensor, length: int) -> bool:
    """Whether a tensor has an entry per token, or several (which images it sees, say), judged by its axes.

    A number about an image may happen to be as long as the prompt; with two axes the name has to agree.
    """
    return value.shape[:2] == (1, length) and (value.dim() > 2 or name.endswith("_ids"))


def _same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)
