"""Which columns make a question and an answer, and which columns would change it if they were passed over.

Nothing is guessed: a column that looks like a misspelt one is an error, since passing over it in silence would turn a
question about a picture into a question about nothing. So is a second conversation beside the first, a further
picture, and whatever else a model would have been given (a system prompt, a history, tools).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from PIL import Image

LAYOUTS = {
    "question": ("question", "answer"),
    "prompt": ("prompt", "completion"),
    "messages": ("messages",),
    "spans": ("question", "caption", "spans"),  # as `unsee mine` writes them
    "conversations": ("conversations",),  # LLaVA's and ShareGPT's
    "instruction": ("instruction", "output"),  # Alpaca's, with or without `input`
}
UNDERSTOOD = (
    "question + answer, prompt + completion, or messages, each with image (or images); "
    "LLaVA's conversations and Alpaca's instruction + output count too"
)
OPTIONAL = (
    *("image", "images", "subject", "fact", "id"),
    *("paraphrased_answers", "perturbed_answers", "answer_keywords", "choices", "objects"),
)
# What a model would be given beside the question.
CONTEXT = (
    *("system", "system_prompt", "system_message", "history", "context", "documents", "instruction", "input"),
    *("tools", "functions", "chat_template_kwargs", "video", "videos", "audio", "audios"),
)
KNOWN = frozenset(OPTIONAL).union(*LAYOUTS.values(), CONTEXT, ("sentence", "unit"))

# A row has one conversation; these are parts of one even where the rest of it is missing.
_CONVERSATION = ("question", "answer", "prompt", "completion", "messages", "conversations", "spans")
_PICTURE_NAME = re.compile(r"image|img|photo|picture|file_name", re.IGNORECASE)
_FURTHER_PICTURE = re.compile(r"(?:image|img|photo|picture)s?[ _-]?(?:\d+|[a-h]|two|second)", re.IGNORECASE)


def layout_of(values: Mapping[str, Any]) -> tuple[str, str]:
    """The layout of a row, a key of `LAYOUTS`, and what is wrong with its columns; one of the two is empty."""
    complete, problem = _recognise(tuple(values))
    if problem:
        return "", problem
    filled = [layout for layout in complete if all(values[key] is not None for key in LAYOUTS[layout])]
    layout = (filled or complete)[0]  # of data sets that were joined, one has nulls where the other has values
    problem = _rival(values, layout, filled) or _left_out(values, layout)
    return ("", problem) if problem else (layout, "")


def _rival(values: Mapping[str, Any], layout: str, filled: list[str]) -> str:
    """A second conversation in the same row: taking the first one would be a guess."""
    ours = LAYOUTS[layout]
    theirs = [*_CONVERSATION, *(key for other in filled for key in LAYOUTS[other])]
    second = next((key for key in theirs if key not in ours and _given(values.get(key))), None)
    return f"{second} beside {' and '.join(ours)}; a row is one question and one answer, keep one" if second else ""


def _left_out(values: Mapping[str, Any], layout: str) -> str:
    """Something that the model would have been given, and that no example holds."""
    ours = (*LAYOUTS[layout], "input") if layout == "instruction" else LAYOUTS[layout]
    for key in CONTEXT:
        if key not in ours and _given(values.get(key)):
            return f"{key}: not supported, and leaving it out would change what is asked; write it into the question"
    for key, value in values.items():
        if key in KNOWN or not _given(value):
            continue
        if _FURTHER_PICTURE.fullmatch(key) or _is_picture(value):
            return f"{key}: a further picture; an example has one at most, under image, so split the row"
    return ""


def _given(value: Any) -> bool:
    """Whether there is anything in a value."""
    if isinstance(value, str):
        return bool(value.strip())
    return value is not None and value is not False and not (isinstance(value, (list, tuple, Mapping)) and not value)


def _is_picture(value: Any) -> bool:
    if isinstance(value, Mapping):
        return set(value) == {"bytes", "path"} and (value["bytes"] is not None or value["path"] is not None)
    return isinstance(value, (bytes, Image.Image))


@lru_cache(maxsize=64)
def _recognise(columns: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """The layouts that the columns make and, where they make none or hold a doubtful name, what is wrong."""
    complete = tuple(layout for layout, keys in LAYOUTS.items() if all(key in columns for key in keys))
    if complete:
        return complete, _doubt(columns)
    names = ", ".join(columns) or "none"
    for keys in LAYOUTS.values():
        present = [key for key in keys if key in columns]
        if present:
            missing = next(key for key in keys if key not in columns)
            return (), f"no {missing} beside {present[0]}{_nearest(missing, columns)}; columns found: {names}"
    hints = (_nearest(key, columns) for keys in LAYOUTS.values() for key in keys)
    return (), f"no known layout{next(filter(None, hints), '')}; columns found: {names}; understood: {UNDERSTOOD}"


def _nearest(missing: str, columns: tuple[str, ...]) -> str:
    strange = {column.lower(): column for column in columns if column not in KNOWN}
    near = difflib.get_close_matches(missing, strange, n=1, cutoff=0.7)
    return f" (is {strange[near[0]]!r} meant to be {missing!r}?)" if near else ""


def _doubt(columns: tuple[str, ...]) -> str:
    """What a column that is not known might have been meant to be, if leaving it out could do harm."""
    strange = [column for column in columns if column not in KNOWN]
    for column in strange:
        near = difflib.get_close_matches(column.lower(), OPTIONAL, n=1, cutoff=0.85)
        if near and near[0] not in columns:
            return f"unknown column {column!r}; did you mean {near[0]!r}? Rename or remove it"
    if "image" in columns or "images" in columns:
        return ""
    for column in strange:
        if _PICTURE_NAME.search(column):
            return f"column {column!r} but no image; rename it, or add image: null for questions in words"
    return ""
