"""One row of a user's data, in any layout that is understood, becomes one `Example`.

Understood are the columns `question` and `answer`; TRL's `prompt` and `completion`, as strings or as turns;
`messages`; LLaVA's `conversations`; and Alpaca's `instruction`, `input` and `output`. Each takes `image` (one picture)
or `images` (a list of at most one), which may be null. What a row means does not depend on how it is written: the same
conversation is the same example in each of them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from unsee.data.conversation import question_and_answer
from unsee.data.example import AnswerSpan, Example, ImageSource
from unsee.data.layouts import layout_of
from unsee.data.paths import from_address, located, not_found
from unsee.data.pictures import upright
from unsee.errors import InputError
from unsee.metrics.answers import normalise

MAX_TEXT = 1_000_000  # characters: no model reads a tenth of that
_URL = re.compile(r"[a-z][a-z0-9+.-]*://|data:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it was found, and where."""

    values: Mapping[str, Any]
    where: str  # "forget.jsonl, row 3": how an error message calls it
    folder: Path  # where relative image paths start
    find_image: bool = True  # False: a picture that is not there is no error

    def example(self) -> Example:
        """What the row asks.

        Raises:
            InputError: if the row has no known layout, or a value is missing, empty or of the wrong type; one
                line that names the file, the row, the key and what would be right.
        """
        layout, problem = layout_of(self.values)
        if problem:
            raise InputError(f"{self.where}: {problem}")
        image = self._image()
        question, answer = self._said(layout, has_image=image is not None)
        choices = self._texts("choices")
        if choices and answer not in choices:
            raise self.fail("choices", f"the answer {_short(answer)} is not among them")
        return Example(
            question=question,
            answer=answer,
            image=image,
            subject=self._label("subject"),
            fact=self._label("fact"),
            id=self._label("id"),
            paraphrased_answers=(paraphrased := self._texts("paraphrased_answers")),
            perturbed_answers=self._wrong((answer, *paraphrased)),
            answer_keywords=self._texts("answer_keywords"),
            choices=choices,
            objects=None if self.values.get("objects") is None else self._texts("objects"),
            spans=self._spans(answer) if layout == "spans" else (),
        )

    def _said(self, layout: str, has_image: bool) -> tuple[str, str]:
        """The question and the answer."""
        if layout in ("question", "spans"):
            return self._text("question"), self._text("caption" if layout == "spans" else "answer")
        keys, texts = question_and_answer(self.values, layout, has_image, fail=self.fail)
        question, answer = (check_text(value, key, self) for key, value in zip(keys, texts, strict=True))
        return question, answer

    def fail(self, key: str, problem: str) -> InputError:
        """The error that something is wrong with the value under `key`."""
        return InputError(f"{self.where}, {key}: {problem}")

    def _text(self, key: str) -> str:
        return check_text(self.values[key], key, self)

    def _label(self, key: str) -> str | None:
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)  # identifiers are often numbers
        return check_text(value, key, self)

    def _texts(self, key: str) -> tuple[str, ...]:
        value = self.values.get(key)
        if value is None:
            return ()
        if not isinstance(value, (list, tuple)):
            raise self.fail(key, f"{_kind(value)} where a list of strings is expected")
        return tuple(check_text(item, key, self) for item in value)

    def _wrong(self, right: tuple[str, ...]) -> tuple[str, ...]:
        """Perturbed answers; one that is right would be as likely as the truth, which reads as forgotten."""
        answers, known = self._texts("perturbed_answers"), {normalise(text) for text in right}
        same = next((text for text in answers if normalise(text) in known), None)
        if same is not None:
            raise self.fail("perturbed_answers", f"{_short(same)} is a right answer of this row; leave it out")
        return answers

    def _spans(self, caption: str) -> tuple[AnswerSpan, ...]:
        """Phrases to raise or to lower, and the caption as a whole where its sentence has a role."""
        given = self.values["spans"]
        if not isinstance(given, (list, tuple)):
            raise self.fail("spans", f"{_kind(given)} where a list is expected")
        written = self.values["caption"]
        spans = [self._span(span, number, written) for number, span in enumerate(given, start=1)]
        sentence = self.values.get("sentence") or {}
        role = sentence.get("role") if isinstance(sentence, Mapping) else "no object"
        if role not in (None, "positive", "negative"):
            raise self.fail("sentence", f"role {role!r}; it is positive, negative or null")
        if role:
            given = sentence.get("score")
            score = 1.0 if given is None else self._number(given, "sentence", "score")
            held: Literal["sentence", "negative"] = "sentence" if role == "positive" else "negative"
            spans.append(AnswerSpan(0, len(caption), held, score=score))
        return tuple(spans)

    def _span(self, span: Any, number: int, written: str) -> AnswerSpan:
        """A span of the caption as it is written, in the characters of the caption without white space around it."""
        values = span if isinstance(span, Mapping) else {}
        start, end, role = values.get("start"), values.get("end"), values.get("role")
        if not (type(start) is int and type(end) is int and 0 <= start < end <= len(written)):
            raise self.fail("spans", f"number {number}: [{start}, {end}) is no range of its caption of {len(written)}")
        if not written[start:end].strip():
            raise self.fail("spans", f"number {number}: [{start}, {end}) holds white space alone")
        before, length = len(written) - len(written.lstrip()), len(written.strip())
        start, end = max(start - before, 0), min(end - before, length)
        if role not in ("positive", "negative"):
            raise self.fail("spans", f"number {number}: role {role!r}; it is positive or negative")
        weight, score = (
            self._number(value, "spans", f"number {number}: {key}")
            for key, value in (("weight", values.get("weight", 1.0)), ("score", values.get("score")))
        )
        phrases = values.get("phrases") or ()
        if not (isinstance(phrases, (list, tuple)) and all(isinstance(phrase, str) for phrase in phrases)):
            raise self.fail("spans", f"number {number}: phrases {phrases!r} where a list of strings is expected")
        return AnswerSpan(start, end, role, weight, score, tuple(phrases))

    def _number(self, value: Any, key: str, what: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
            raise self.fail(key, f"{what} {value!r} where a number is expected")
        return float(value)

    def _image(self) -> ImageSource | None:
        image, images = self.values.get("image"), self.values.get("images")
        if images is None:
            return self._picture("image", image)
        if image is not None:
            raise self.fail("images", "given beside image; keep one of the two")
        if not isinstance(images, (list, tuple)):
            raise self.fail("images", f"{_kind(images)} where a list is expected; a single picture goes under image")
        if len(images) > 1:
            raise self.fail("images", f"{len(images)} pictures; an example has one at most, so split the row")
        if len(images) == 1 and images[0] is None:
            raise self.fail("images", "a list of null; give a picture, or null or an empty list for none")
        return self._picture("images", images[0] if images else None)

    def _picture(self, key: str, value: Any) -> ImageSource | None:
        if isinstance(value, Mapping):  # as `datasets` and Parquet keep a picture
            content, value = value.get("bytes"), value.get("path")
            if content is None and value is None:
                raise self.fail(key, "neither bytes nor path; give one, or null for no picture")
            value = value if content is None else content
        if isinstance(value, str):
            return self._file(key, value)
        if isinstance(value, Image.Image):
            return self._encoded(key, value)
        if value is None or isinstance(value, bytes):
            return value
        raise self.fail(key, f"{_kind(value)} where a path or the bytes of a picture are expected")

    def _encoded(self, key: str, picture: Image.Image) -> bytes:
        content = BytesIO()
        try:
            upright(picture).save(content, "PNG")  # which would forget how the picture was held
        except (OSError, ValueError) as error:
            raise self.fail(key, f"a picture that cannot be kept as PNG ({error}); convert it to RGB") from error
        return content.getvalue()

    def _file(self, key: str, value: str) -> Path:
        if _URL.match(value) and not value.lower().startswith("file://"):
            raise self.fail(key, f"{_short(value)} is a URL; nothing is fetched, so download it and give its path")
        if not value.strip():
            raise self.fail(key, "an empty path; give the path of a picture, or null for none")
        try:
            path = located(value, self.folder)
            if path is not None and path.is_file():
                return path
            if not self.find_image:
                return self.folder / value
        except (OSError, ValueError) as error:
            if not self.find_image:
                return self.folder / value
            raise self.fail(
                key, f"cannot read {self.folder / value}: {getattr(error, 'strerror', None) or error}"
            ) from error
        base = "" if Path(from_address(value)).is_absolute() else f"; a relative path starts at {self.folder}"
        raise self.fail(key, f"no such file: {self.folder / value}{base}{not_found(value, self.folder)}")


def check_text(value: Any, key: str, row: Row) -> str:
    """The value, if it is a string with something in it, without the white space around it.

    This is the one place where white space is taken off, so that " Ada" and "Ada" are the same answer in every layout.

    Raises:
        InputError: if it is not.
    """
    if not isinstance(value, str):
        raise row.fail(key, f"{_kind(value)} where a string is expected")
    if not value.strip():
        raise row.fail(key, "empty; it needs some text")
    if len(value) > MAX_TEXT:
        raise row.fail(key, f"{len(value)} characters; a text has at most {MAX_TEXT}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise row.fail(key, f"half a surrogate pair at character {error.start + 1}; repair the text") from error
    return value.strip()


def _kind(value: Any) -> str:
    names = {type(None): "null", str: "a string", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), f"a {type(value).__name__}")


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
