"""What a chat template writes round a question and its answer, found out with stand-ins before any row is read.

A row is `prompt + answer + end of turn`, and only the last two are labels. Published templates do not all keep to that:
one writes `<\\s>` where the end of the sequence was meant, one closes a thought in front of every answer that its
generation prompt has just opened, others drop answers or change them. So a template is tried with questions and answers
that can stand in none, and only what it writes round them is kept:

- between the generation prompt and the answer there may be white space, which the model has to say. Words there are
  the same for every answer, and become part of the prompt;
- behind the answer there may be white space and special tokens up to the end of the turn. A misspelt end of the
  sequence is left out. Anything else is refused, since nobody can tell whether the model has to say it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from unsee.errors import InputError
from unsee.vlm.patience import OutOfPatience, at_most

PATIENCE = 10.0  # seconds for all stand-ins; a template takes milliseconds
# What a template that is tried with something unforeseen raises.
_FAILURES = (TemplateError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
# In no template, and unlike each other: words, characters for private use, several lines with punctuation.
_STAND_INS = (
    ("Which quay does the ferry leave from?", "Quay 7"),
    ("\ue000", "\ue001"),
    ("A heading\n\n- and {{ a }} point", "- Two lines,\n- 'quoted' & <b>bold</b>."),
)


@dataclass(frozen=True)
class Frame:
    """What a template writes round an answer.

    Attributes:
        opening: words before every answer that the generation prompt lacks; they belong to the prompt.
        space: white space between prompt and answer, which is the model's to say.
        closing: white space and special tokens behind the answer, the end of turn last where there is one.
        notice: what was put right, for the person whose template it is; empty where nothing was.
    """

    opening: str
    space: str
    closing: str
    notice: str = ""


class ChatTemplate:
    """A processor's chat template, tried with stand-ins.

    Args:
        processor: with a chat template.
        special: finds the tokens that a tokenizer reads as no words.
        ends: the tokens that end a turn, as text.

    Raises:
        InputError: when it cannot write one question and its answer, with a picture or without.
    """

    def __init__(self, processor: Any, special: re.Pattern[str], ends: Iterable[str]) -> None:
        self._processor, self._special = processor, special
        self._ends = re.compile("|".join(map(re.escape, sorted(ends, key=len, reverse=True))))
        try:
            with at_most(PATIENCE):
                self._frames = {has_image: self._tried(has_image) for has_image in (False, True)}
        except OutOfPatience:
            raise InputError(
                f"chat template: it has not written one question and its answer after {PATIENCE:g} s; "
                "use the model's own chat_template.jinja"
            ) from None
        in_words, with_picture = self._frames[False], self._frames[True]
        if isinstance(in_words, InputError) and isinstance(with_picture, InputError):
            raise in_words

    @property
    def notices(self) -> tuple[str, ...]:
        """What was put right, one line each."""
        frames = [frame for frame in self._frames.values() if isinstance(frame, Frame)]
        return tuple(dict.fromkeys(frame.notice for frame in frames if frame.notice))

    def frame(self, has_image: bool) -> Frame:
        """What is written round an answer.

        Raises:
            InputError: when rows of this kind cannot be written.
        """
        outcome = self._frames[has_image]
        if isinstance(outcome, InputError):
            raise InputError(str(outcome))
        return outcome

    def prompt(self, question: str, has_image: bool) -> str:
        """Everything before the answer, the placeholder of a picture not yet replaced by its tokens.

        Raises:
            InputError: when rows of this kind, or this question, cannot be written.
        """
        opening = self.frame(has_image).opening
        written = self._render([_turn("user", question, has_image)], generation=True)
        if question not in written:  # templates cut thoughts out, say
            raise InputError(f"chat template: it changes the question {question[:60]!r}; word it otherwise")
        return written + opening

    def answered(self, prompt: str, answer: str, has_image: bool) -> str:
        """A prompt with its answer, up to the end of the turn."""
        frame = self.frame(has_image)
        return prompt + frame.space + answer + frame.closing

    def written(self) -> str:
        """The prompt of a stand-in, by which the tokenizer's own additions can be told."""
        has_image = isinstance(self._frames[False], InputError)
        return self.prompt(_STAND_INS[0][0], has_image)

    def _render(self, turns: list[dict[str, Any]], generation: bool) -> str:
        try:
            return str(self._processor.apply_chat_template(turns, add_generation_prompt=generation, tokenize=False))
        except _FAILURES as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise InputError(
                f"chat template: it refuses one question and its answer ({reason}); use a template that takes a user's "
                "turn, of an image part and a text part, and an assistant's"
            ) from error

    def _tried(self, has_image: bool) -> Frame | InputError:
        try:
            return self._try(has_image)
        except InputError as error:
            return error

    def _try(self, has_image: bool) -> Frame:
        pairs = {self._round(question, answer, has_image) for question, answer in _STAND_INS}
        if len(pairs) > 1:
            first, other = sorted(pairs)[:2]
            raise InputError(
                f"chat template: what it writes round an answer depends on the answer ({_shown(first)} or "
                f"{_shown(other)}); use the model's own chat_template.jinja"
            )
        return self._mended(*pairs.pop())

    def _round(self, question: str, answer: str, has_image: bool) -> tuple[str, str]:
        """What stands between the generation prompt and an answer, and what stands behind it."""
        user = _turn("user", question, has_image)
        prompt = self._render([user], generation=True)
        whole = self._render([user, _turn("assistant", answer, False)], generation=False)
        for name, text, written in (("questions", question, prompt), ("answers", answer, whole)):
            if written.count(text) != 1:
                raise InputError(
                    f"chat template: it drops, changes or repeats {name} ({text!r} comes {written.count(text)} times "
                    "in what it writes); use the model's own chat_template.jinja"
                )
        self._check_picture(prompt, has_image)
        before, _, behind = whole.rpartition(answer)
        generation, written = prompt.rpartition(question)[2], before.rpartition(question)[2]
        if written.startswith(generation):
            return written[len(generation) :], behind
        if generation.startswith(written):  # an empty thought that only the generation prompt has, say
            return "", behind
        raise InputError(
            f"chat template: it writes {written!r} before an answer and {generation!r} where one is to be generated; "
            "use the model's own chat_template.jinja"
        )

    def _check_picture(self, prompt: str, has_image: bool) -> None:
        token = getattr(self._processor, "image_token", None)
        if has_image and token and (count := prompt.count(token)) != 1:
            what = f"gets no {token}" if not count else f"gets {count} of {token}"
            raise InputError(f"chat template: a row with a picture {what}; use the model's own chat_template.jinja")

    def _mended(self, lead: str, behind: str) -> Frame:
        opening, space, notice = "", lead, ""
        if lead.strip():
            opening, space = lead, ""
            notice = f"chat template: {lead!r} stands before every answer; it is taken as part of the prompt"
        end = self._ends.search(behind)
        closing = behind[: end.start()] if end else behind
        if not self._of_special(closing):
            if not self._of_special(closing.replace("\\", "/")):
                raise InputError(
                    f"chat template: it writes {closing!r} behind every answer, which is neither white space nor a "
                    "special token; use the model's own chat_template.jinja"
                )
            notice = f"chat template: {closing!r} behind every answer is a misspelt end of turn; it is left out"
            closing = ""
        return Frame(opening, space, closing + end.group() if end else closing.rstrip(), notice)

    def _of_special(self, text: str) -> bool:
        """Whether a text is white space and special tokens."""
        return not self._special.sub("", text).strip()


def _turn(role: str, text: str, has_image: bool) -> dict[str, Any]:
    image: list[dict[str, Any]] = [{"type": "image"}] if has_image else []
    return {"role": role, "content": [*image, {"type": "text", "text": text}]}


def _shown(written: tuple[str, str]) -> str:
    return f"{written[0]!r} and {written[1]!r}"
