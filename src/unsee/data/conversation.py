"""Questions and answers told as a conversation: TRL's `prompt` + `completion`, and `messages`.

An example is one question and one answer, so a conversation is one user turn followed by one assistant turn.
System turns and further turns change what the model sees; they are refused rather than dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from unsee.errors import InputError

Fail = Callable[[str, str], InputError]  # (key, problem) -> the error to raise

SUPPORTED = "one user turn, then one assistant turn"


def question_and_answer(values: Mapping[str, Any], layout: str, has_image: bool, fail: Fail) -> tuple[str, str]:
    """The question and the answer of a row in a conversational layout.

    Args:
        values: the row.
        layout: "prompt" (with `completion`) or "messages".
        has_image: whether the row has a picture, which a placeholder needs.
        fail: makes the error for a key and a problem.

    Raises:
        InputError: for system turns, several turns, other roles, unknown content, empty text, or a placeholder
            without a picture.
    """
    if layout == "messages":
        turns = _turns(values["messages"], ("user", "assistant"), "messages", fail)
        question, answer = turns
        return _question(question, has_image, "messages", fail), _answer(answer, "messages", fail)
    prompt, completion = values["prompt"], values["completion"]
    if not isinstance(prompt, str):
        (prompt,) = _turns(prompt, ("user",), "prompt", fail)
    if not isinstance(completion, str):
        (completion,) = _turns(completion, ("assistant",), "completion", fail)
    return _question(prompt, has_image, "prompt", fail), _answer(completion, "completion", fail)


def _turns(value: Any, roles: Sequence[str], key: str, fail: Fail) -> list[Any]:
    """The contents of the turns, which must have exactly these roles."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(turn, Mapping) for turn in value):
        raise fail(key, f"{type(value).__name__} where a list of turns with role and content is expected")
    found = [str(turn.get("role")) for turn in value]
    if "system" in found:
        raise fail(key, f"a system turn; supported is {SUPPORTED}")
    if found != list(roles):
        wanted = SUPPORTED if key == "messages" else f"one {roles[0]} turn"
        raise fail(key, f"turns of {', '.join(found) or 'nobody'}; supported is {wanted}")
    return [turn.get("content") for turn in value]


def _question(content: Any, has_image: bool, key: str, fail: Fail) -> str:
    text, placeholders = _content(content, key, fail)
    if placeholders > 1:
        raise fail(key, f"{placeholders} image placeholders; an example has one picture at most")
    if placeholders and not has_image:
        raise fail(key, "an image placeholder, but the row has no picture; put it under image")
    return text


def _answer(content: Any, key: str, fail: Fail) -> str:
    text, placeholders = _content(content, key, fail)
    if placeholders:
        raise fail(key, "an image in the answer; answers are text")
    return text


def _content(content: Any, key: str, fail: Fail) -> tuple[str, int]:
    """The text of a turn, without the blanks around it that only serve to join strings, and its placeholders."""
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, (list, tuple)):
        raise fail(key, f"content is {type(content).__name__}; a string or a list of text and image parts is expected")
    parts = [_part(part, key, fail) for part in content]
    text = "".join(part for part in parts if part is not None).strip()
    if not text:
        raise fail(key, "empty; it needs some text")
    return text, parts.count(None)


def _part(part: Any, key: str, fail: Fail) -> str | None:
    """The text of one part of a turn; None for an image placeholder."""
    kind = part.get("type") if isinstance(part, Mapping) else type(part).__name__
    if kind == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    if kind != "image":
        raise fail(
            key, f'a part of type {kind!r}; {{"type": "text", "text": ...}} and {{"type": "image"}} are supported'
        )
    if any(value is not None for name, value in part.items() if name not in ("type", "text")):
        raise fail(key, 'a picture inside a turn; put it under image and leave {"type": "image"}')
    return None
