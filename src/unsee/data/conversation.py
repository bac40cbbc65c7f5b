"""Questions and answers told as a conversation, in the layouts that others use.

TRL's `prompt` + `completion` and `messages`, LLaVA's and ShareGPT's `conversations`, Alpaca's `instruction` (+ `input`)
+ `output`. An example is one question and one answer, so a conversation is one user turn followed by one assistant
turn. System turns, further turns and calls of tools change what the model sees; they are refused rather than dropped.
So is a picture behind words, since a model is always shown the picture first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from unsee.errors import InputError

Fail = Callable[[str, str], InputError]  # (key, problem) -> the error to raise

SUPPORTED = "one user turn, then one assistant turn"
_SPEAKERS = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}
_PLACEHOLDER = "<image>"  # where LLaVA's conversations have the picture


def question_and_answer(
    values: Mapping[str, Any], layout: str, has_image: bool, fail: Fail
) -> tuple[tuple[str, str], tuple[str, str]]:
    """The keys under which question and answer stand, and both as they are written, white space and all.

    Args:
        values: the row.
        layout: "prompt" (with `completion`), "messages", "conversations" or "instruction" (with `output`).
        has_image: whether the row has a picture, which a placeholder needs.
        fail: makes the error for a key and a problem.

    Raises:
        InputError: for system turns, several turns, other roles, unknown content, or a placeholder without a picture
            or behind words.
    """
    if layout == "instruction":
        given = values.get("input")
        asked = values["instruction"] if given is None or not str(given).strip() else _joined(values, fail)
        return ("instruction", "output"), (asked, values["output"])
    if layout == "conversations":
        asked, answer = _turns(_messages(values["conversations"], fail), ("user", "assistant"), "conversations", fail)
        return ("conversations",) * 2, (_without_placeholder(asked, has_image, fail), _without_image(answer, fail))
    if layout == "messages":
        asked, answer = _turns(values["messages"], ("user", "assistant"), "messages", fail)
        return ("messages",) * 2, (_question(asked, has_image, "messages", fail), _answer(answer, "messages", fail))
    prompt, completion = values["prompt"], values["completion"]
    if not isinstance(prompt, str):
        (prompt,) = _turns(prompt, ("user",), "prompt", fail)
    if not isinstance(completion, str):
        (completion,) = _turns(completion, ("assistant",), "completion", fail)
    asked, answer = _question(prompt, has_image, "prompt", fail), _answer(completion, "completion", fail)
    return ("prompt", "completion"), (asked, answer)


def _joined(values: Mapping[str, Any], fail: Fail) -> str:
    """Alpaca's instruction with its input on the next line."""
    for key in ("instruction", "input"):
        if not isinstance(values[key], str):
            raise fail(key, f"{type(values[key]).__name__} where a string is expected")
    return f"{values['instruction'].strip()}\n{values['input'].strip()}"


def _messages(value: Any, fail: Fail) -> Any:
    """LLaVA's turns of `from` and `value` as turns of `role` and `content`."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(turn, Mapping) for turn in value):
        return value  # refused with the others
    for turn in value:
        if not isinstance(turn.get("value"), str) or _SPEAKERS.get(str(turn.get("from"))) is None:
            raise fail("conversations", f"a turn of {', '.join(map(str, turn)) or 'nothing'}; from and value expected")
    return [{"role": _SPEAKERS[turn["from"]], "content": turn["value"]} for turn in value]


def _without_placeholder(asked: str, has_image: bool, fail: Fail) -> str:
    """The question without its placeholder, which LLaVA puts in front whether it is written before or behind."""
    count = asked.count(_PLACEHOLDER)
    if count > 1:
        raise fail("conversations", f"{count} image placeholders; an example has one picture at most")
    if count and not has_image:
        raise fail("conversations", "an image placeholder, but the row has no picture; put it under image")
    before, _, behind = asked.partition(_PLACEHOLDER)
    if count and before.strip() and behind.strip():
        raise fail("conversations", "a picture between words; it comes first, so write the words behind it")
    return before if before.strip() else behind or before


def _without_image(answer: str, fail: Fail) -> str:
    if _PLACEHOLDER in answer:
        raise fail("conversations", "an image in the answer; answers are text")
    return answer


def _turns(value: Any, roles: Sequence[str], key: str, fail: Fail) -> list[Any]:
    """The contents of the turns, which must have exactly these roles."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(turn, Mapping) for turn in value):
        raise fail(key, f"{type(value).__name__} where a list of turns with role and content is expected")
    given_roles = [str(turn.get("role")) for turn in value]
    if "system" in given_roles:
        raise fail(key, f"a system turn; supported is {SUPPORTED}")
    if given_roles != list(roles):
        wanted = SUPPORTED if key in ("messages", "conversations") else f"one {roles[0]} turn"
        raise fail(key, f"turns of {', '.join(given_roles) or 'nobody'}; supported is {wanted}")
    for turn in value:
        _only(turn, ("role", "content"), "a turn", key, fail)
    return [turn.get("content") for turn in value]


def _only(given: Mapping[str, Any], known: Sequence[str], what: str, key: str, fail: Fail) -> None:
    """See that nothing stands beside what is understood; null and empty values do no harm."""
    for name, value in given.items():
        if name not in known and value not in (None, "", [], {}):
            raise fail(key, f"{what} with {name!r}, which would be lost; supported is {' and '.join(known)}")


def _question(content: Any, has_image: bool, key: str, fail: Fail) -> str:
    parts = _content(content, key, fail)
    placeholders = parts.count(None)
    if placeholders > 1:
        raise fail(key, f"{placeholders} image placeholders; an example has one picture at most")
    if placeholders and not has_image:
        raise fail(key, "an image placeholder, but the row has no picture; put it under image")
    if placeholders and any(part and part.strip() for part in parts[: parts.index(None)]):
        raise fail(key, "a picture behind words; it comes first, so write the words behind it")
    return "".join(part for part in parts if part is not None)


def _answer(content: Any, key: str, fail: Fail) -> str:
    parts = _content(content, key, fail)
    if None in parts and any(parts):
        raise fail(key, "an image in the answer; answers are text")
    return "".join(part for part in parts if part is not None)


def _content(content: Any, key: str, fail: Fail) -> list[str | None]:
    """The text of each part of a turn; None for an image placeholder."""
    if isinstance(content, str):
        return [content]
    if not isinstance(content, (list, tuple)):
        raise fail(key, f"content is {type(content).__name__}; a string or a list of text and image parts is expected")
    return [_part(part, key, fail) for part in content]


def _part(part: Any, key: str, fail: Fail) -> str | None:
    kind = part.get("type") if isinstance(part, Mapping) else type(part).__name__
    if kind == "text" and isinstance(part.get("text"), str):
        _only(part, ("type", "text"), "a part", key, fail)
        return str(part["text"])
    if kind != "image":
        raise fail(
            key, f'a part of type {kind!r}; {{"type": "text", "text": ...}} and {{"type": "image"}} are supported'
        )
    if any(value is not None for name, value in part.items() if name not in ("type", "text")):
        raise fail(key, 'a picture inside a turn; put it under image and leave {"type": "image"}')
    return None
