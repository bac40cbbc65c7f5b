"""Rows of tensors, joined for one forward pass.

Rows are padded on the left alone, so that all answers end together and `logits_to_keep` can cut the logits down to the
answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from unsee.data.example import SPAN_ROLES, Example

IGNORED = -100  # the label of a position that no loss looks at


@dataclass(frozen=True, slots=True)
class Encoded:
    """One example as tensors, before padding.

    Attributes:
        prompt_ids: tokens of the prompt with its image placeholders; shape (prompt,).
        answer_ids: tokens of the answer, the end of turn last; shape (answer,).
        per_token: further tensors with one value per prompt token, such as `mm_token_type_ids`, shape (prompt,) each,
            or with several (which images it sees), shape (prompt, images, tiles).
        per_image: tensors about the images, such as `pixel_values`; joined along their first axis.
    """

    prompt_ids: Tensor
    answer_ids: Tensor
    per_token: dict[str, Tensor]
    per_image: dict[str, Tensor]


class Spans(NamedTuple):
    """Parts of the answers of a batch, in places of its labels.

    Attributes:
        places: first label and the one behind the last, both 0 where a row has fewer spans; shape (batch, spans, 2).
        roles: index into `SPAN_ROLES`, -1 where there is no span; shape (batch, spans).
        weights: how much each counts, 0 where there is no span; float32, shape (batch, spans).
        scores: as judged, 0 where there is no span; float32, shape (batch, spans).
    """

    places: Tensor
    roles: Tensor
    weights: Tensor
    scores: Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows joined for one forward pass.

    Attributes:
        inputs: keyword arguments of the model's forward; tokens have shape (batch, time).
        labels: the answers, right-aligned and `IGNORED` elsewhere; shape (batch, longest answer). The logits that
            predict them are the last `longest answer + 1` of each row, less the very last.
        indices: place of each row in its set, for what is cached by example; shape (batch,).
        spans: parts of the answers, where a row has any.
    """

    inputs: dict[str, Tensor]
    labels: Tensor
    indices: Tensor
    spans: Spans | None = None

    def __len__(self) -> int:
        return int(self.labels.shape[0])

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        inputs = {name: value.to(device) for name, value in self.inputs.items()}
        spans = None if self.spans is None else Spans(*(value.to(device) for value in self.spans))
        return Batch(inputs, self.labels.to(device), self.indices.to(device), spans)

    def as_dict(self) -> dict[str, Any]:
        """As nested dictionaries of tensors, which trainers know how to move; `from_dict` turns them back."""
        spans = {} if self.spans is None else {"spans": self.spans._asdict()}
        return {"inputs": self.inputs, "labels": self.labels, "indices": self.indices, **spans}

    @classmethod
    def from_dict(cls, parts: dict[str, Any]) -> Batch:
        """What `as_dict` gave."""
        spans = Spans(**parts["spans"]) if "spans" in parts else None
        return cls(parts["inputs"], parts["labels"], parts["indices"], spans)


def join(rows: Sequence[Encoded], pad_token_id: int, indices: Sequence[int], with_answers: bool = True) -> Batch:
    """Pad rows on the left and join them; see `Batch` for the shapes."""
    ids = [torch.cat([row.prompt_ids, row.answer_ids]) if with_answers else row.prompt_ids for row in rows]
    longest = max(len(row) for row in ids)
    inputs = {
        "input_ids": torch.stack([_left_pad(row, longest, pad_token_id) for row in ids]),
        "attention_mask": torch.stack([_left_pad(torch.ones_like(row), longest, 0) for row in ids]),
    }
    for name in sorted({name for row in rows for name in row.per_token}):
        inputs[name] = torch.stack([_left_pad(value, longest, 0) for value in _over_answers(name, rows, ids)])
    for name in sorted({name for row in rows for name in row.per_image}):
        inputs[name] = _cat([row.per_image[name] for row in _with_images(rows) if name in row.per_image])
    widest = max(len(row.answer_ids) for row in rows)
    labels = torch.stack([_left_pad(row.answer_ids, widest, IGNORED) for row in rows])
    return Batch(inputs, labels, torch.tensor(list(indices), dtype=torch.long))


def _over_answers(name: str, rows: Sequence[Encoded], ids: Sequence[Tensor]) -> list[Tensor]:
    """What there is for each token of the prompts, for each token of rows that may go on with answers.

    A row in words alone may lack what a row with an image has; zero means "text" wherever that happens. Answers are
    text. Where a token has several entries, they say which images it sees, and an answer sees what the end of the
    prompt does.
    """
    like = max((row.per_token[name] for row in rows if name in row.per_token), key=lambda value: value.numel())
    values = []
    for row, tokens in zip(rows, ids, strict=True):
        value = row.per_token.get(name, like.new_zeros(len(row.prompt_ids), *like.shape[1:]))
        answer = value[-1:] if value.dim() > 1 else torch.zeros_like(value[:1])
        values.append(torch.cat([value, answer.expand(len(tokens) - len(value), *value.shape[1:])]))
    return values


def _with_images(rows: Sequence[Encoded]) -> Sequence[Encoded]:
    """The rows whose images a batch holds.

    Where tokens say which images they see (Mllama), images belong to rows: one in words alone gets empty ones, which
    none of its tokens sees.
    """
    by_row = next((row for row in rows if any(value.dim() > 1 for value in row.per_token.values())), None)
    if by_row is None:
        return rows
    empty = {name: torch.zeros_like(value) for name, value in by_row.per_image.items()}
    return [replace(row, per_image=row.per_image or empty) for row in rows]


def _left_pad(row: Tensor, length: int, value: int) -> Tensor:
    behind = [0, 0] * (row.dim() - 1)
    return F.pad(row, (*behind, length - len(row), 0), value=value)


def _cat(tensors: Sequence[Tensor]) -> Tensor:
    """Join along the first axis; other axes (number of crops, height, width) are zero-padded to the largest."""
    shape = [max(sizes) for sizes in zip(*(tensor.shape[1:] for tensor in tensors), strict=True)]
    padded = []
    for tensor in tensors:
        missing = [(0, want - have) for have, want in zip(tensor.shape[1:], shape, strict=True)]
        padded.append(F.pad(tensor, [edge for pair in reversed(missing) for edge in pair]))
    return torch.cat(padded)


def join_spans(examples: Sequence[Example], places: Sequence[Sequence[tuple[int, int]]]) -> Spans:
    """The spans of a batch; `places` are those of each example's spans among the batch's labels."""
    most = max(len(example.spans) for example in examples)

    def filled(rows: Iterable[list[Any]], nothing: Any) -> Tensor:
        return torch.tensor([[*row, *[nothing] * (most - len(row))] for row in rows])

    return Spans(
        places=filled((list(row) for row in places), (0, 0)),
        roles=filled(([SPAN_ROLES.index(span.role) for span in example.spans] for example in examples), -1),
        weights=filled(([span.weight for span in example.spans] for example in examples), 0.0),
        scores=filled(([span.score for span in example.spans] for example in examples), 0.0),
    )
