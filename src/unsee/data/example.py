"""The words of the data: an example, a probe, a benchmark.

An `Example` is one thing that a vision-language model can be asked. A `Benchmark` is named sets of
examples with roles; a `Probe` is a set of held-out examples that is only ever measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from PIL import Image

from unsee.data.pictures import decode

ImageSource = Path | bytes
Role = Literal["forget", "keep"]  # what a probe is for: its answers are to go, or to stay


@dataclass(frozen=True, slots=True)
class AnswerSpan:
    """A part of an answer that a method treats on its own: its characters [start, end), and how much it counts."""

    start: int
    end: int
    role: Literal["positive", "negative", "sentence"]  # to be raised; to be lowered; the whole answer, to be held
    weight: float = 1.0
    score: float = 1.0  # how well the picture shows it, in the unit of whoever judged that
    phrases: tuple[str, ...] = ()  # the objects that it names, as the answer writes them; empty where nobody said


SPAN_ROLES = ("positive", "negative", "sentence")


@dataclass(frozen=True, slots=True)
class Example:
    """One question with its expected answer, about an image or about nothing but words."""

    question: str
    answer: str
    image: ImageSource | None = None  # file or encoded bytes (PNG, JPEG, ...); None asks in words alone
    subject: str | None = None  # who or what the row is about; intervals are taken over subjects
    fact: str | None = None  # which property is asked for ("city"); None where facts have no names
    id: str | None = None
    paraphrased_answers: tuple[str, ...] = ()  # right, worded otherwise
    perturbed_answers: tuple[str, ...] = ()  # wrong, but of the same kind and length
    answer_keywords: tuple[str, ...] = ()  # the words of the answer that give it away, whatever is said around them
    choices: tuple[str, ...] = ()  # multiple choice: what may be answered, the right answer among them
    objects: tuple[str, ...] | None = None  # all that the picture shows, where answers are captions to be checked by it
    spans: tuple[AnswerSpan, ...] = ()  # parts of the answer that are raised or lowered, for methods that do that

    def picture(self) -> Image.Image | None:
        """The image as upright 8-bit RGB, or None for a question in words alone."""
        return None if self.image is None else decode(self.image)


@dataclass(frozen=True, slots=True)
class Probe:
    """Held-out examples that are measured and never trained on."""

    name: str
    examples: Sequence[Example]
    trained_on: bool = False  # True marks a measurement on training rows, which every table then says
    role: Role | None = None  # None: nobody said, and nothing shows

    def __len__(self) -> int:
        return len(self.examples)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What is to be forgotten, what may be trained on to keep the rest, and what is measured."""

    name: str
    forget: Sequence[Example]
    retain: Sequence[Example] = ()
    preserve: Sequence[Example] = ()  # further knowledge that saliency protects and no method trains on
    probes: Sequence[Probe] = ()
    chance: dict[str, float] = field(default_factory=dict)  # fact -> accuracy of the best guess without knowledge
    request: str = "visual"  # "visual", "textual" or "both"
    learned: Sequence[Example] = ()  # what base and gold know beside all that, and no run is shown, as probes ask it

    @property
    def gold_rows(self) -> list[Example]:
        """What gold learns: everything but what is to be forgotten."""
        return [*self.retain, *self.preserve, *self.learned]

    @property
    def base_rows(self) -> list[Example]:
        """What the base learns: everything."""
        return [*self.forget, *self.gold_rows]
