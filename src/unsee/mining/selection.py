"""Which phrases count as real and which as hallucinated, and the spans that follow (arXiv 2402.09801, section 3).

A phrase above the positive threshold is taken for real, one below the negative threshold for hallucinated, and what
lies between is left alone. The span of a phrase is its sub-sentence: from behind the punctuation before it to in front
of the punctuation after it. Captions whose phrases score well on the average are kept as they are (the sentence loss).

A phrase counts once per caption, however often it is said: each of its occurrences has an equal share, so that a
caption that loops weighs no more than another.

A sub-sentence may hold a real and a hallucinated object ("a cat and a unicorn"). The paper then raises and lowers the
same tokens; what happens here is said by the conflict policy:

- `narrow`: each of its phrases becomes a span of its own, so that no token is pulled both ways;
- `drop`: neither is used;
- `positive`, `negative`: that role wins, and has the whole sub-sentence;
- `both`: as in the paper.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Literal, NamedTuple, get_args

from pydantic import BaseModel

from unsee.errors import InputError, did_you_mean
from unsee.metrics.lexicon import Phrase
from unsee.mining.weighted_spans import ROLES, Role, Sentence, Span, Unit
from unsee.system.files import write_json
from unsee.system.typed import read_typed

Conflict = Literal["narrow", "drop", "positive", "negative", "both"]
CONFLICTS: tuple[Conflict, ...] = get_args(Conflict)

# Ends of sub-sentences: punctuation at the end of a word (the point in "3.5" is none), and line breaks.
_END = re.compile(r"[,.;!?:]+(?=\s|[\"')\]\u2019\u201d]|$)|[\uff0c\u3002\uff1b\uff01\uff1f\uff1a\u3001]+|[\r\n]+")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What scores mean.

    Attributes:
        positive: phrases above are real.
        negative: phrases below are hallucinated.
        sentence: captions whose mean is above are kept as a whole.
        lowest: and, where given, whose lowest phrase is above this too (the code released with the paper: 23).
        unit: of these numbers; None is that of whatever scorer they are used with.
    """

    positive: float
    negative: float
    sentence: float
    lowest: float | None = None
    unit: Unit | None = "cosine_100"

    def __post_init__(self) -> None:
        numbers = [value for value in (self.positive, self.negative, self.sentence, self.lowest) if value is not None]
        if not all(math.isfinite(value) for value in numbers):
            raise InputError("thresholds: not a finite number among them")
        if self.negative > self.positive:
            raise InputError(
                f"thresholds: negative {self.negative:g} is above positive {self.positive:g}, "
                "so that phrases between them would be real and hallucinated at once"
            )

    def role(self, score: float) -> Role | None:
        """What a phrase with this score is taken for; None for neither. Limits themselves are neither."""
        return "positive" if score > self.positive else "negative" if score < self.negative else None


PUBLISHED = Thresholds(positive=32.0, negative=23.0, sentence=27.5)  # for CLIP ViT-B/32 on COCO


def checked_conflict(name: str) -> Conflict:
    """The policy of that name.

    Raises:
        InputError: there is none.
    """
    if name not in CONFLICTS:
        hint = did_you_mean(name, CONFLICTS)
        raise InputError(f"conflict {name!r} is unknown{hint}; choose one of {', '.join(CONFLICTS)}")
    return name


def select(
    caption: str,
    phrases: Sequence[Phrase],
    scores: Sequence[float],
    thresholds: Thresholds,
    conflict: Conflict = "narrow",
    roles: Sequence[Role | None] | None = None,
) -> tuple[tuple[Span, ...], Sentence]:
    """The spans of one caption.

    Args:
        caption: as it stands.
        phrases: its object phrases.
        scores: of each phrase.
        thresholds: what scores mean.
        conflict: what happens to a sub-sentence with phrases of both roles; see above.
        roles: of each phrase, where more than the score decides.

    Returns:
        The spans, ordered by place, and what becomes of the caption as a whole.
    """
    decided = [thresholds.role(score) for score in scores] if roles is None else roles
    counts = Counter((role, phrase.text.casefold()) for phrase, role in zip(phrases, decided, strict=True))
    grouped: dict[tuple[int, int], dict[Role, list[_Member]]] = {}
    for phrase, score, role in zip(phrases, scores, decided, strict=True):
        if role is not None:
            member = _Member(phrase, score, 1 / counts[role, phrase.text.casefold()])
            grouped.setdefault(around(caption, phrase), {}).setdefault(role, []).append(member)
    spans = [span for place, by_role in grouped.items() for span in _spans(place, by_role, conflict)]
    return tuple(sorted(spans, key=lambda span: (span.start, span.end, span.role))), _sentence(scores, thresholds)


def around(caption: str, phrase: Phrase) -> tuple[int, int]:
    """The sub-sentence of a phrase as [start, end): a blank before its first word is part of it, punctuation is not."""
    before, after = 0, len(caption)
    for match in _END.finditer(caption):
        if match.end() <= phrase.start:
            before = match.end()
        elif match.start() >= phrase.end:
            after = match.start()
            break
    return before, after


class _Member(NamedTuple):
    """One occurrence of a phrase in a sub-sentence."""

    phrase: Phrase
    score: float
    weight: float  # its share of the phrase, which counts once per caption


def _spans(place: tuple[int, int], by_role: dict[Role, list[_Member]], conflict: Conflict) -> Iterator[Span]:
    """The spans that a sub-sentence leads to."""
    if len(by_role) == 1 or conflict == "both":
        chosen = list(by_role)
    elif conflict == "narrow":
        for role, members in by_role.items():
            for phrase, score, weight in members:
                yield Span(phrase.start, phrase.end, role, score, weight, (phrase.text,))
        return
    else:
        chosen = [role for role in ROLES if role == conflict]
    for role in chosen:
        score = fmean(member.score for member in by_role[role])
        texts = tuple(member.phrase.text for member in by_role[role])
        yield Span(*place, role, score, sum(member.weight for member in by_role[role]), texts)


def _sentence(scores: Sequence[float], thresholds: Thresholds) -> Sentence:
    if not scores:
        return Sentence()
    mean, lowest = fmean(scores), min(scores)
    kept = mean > thresholds.sentence and (thresholds.lowest is None or lowest > thresholds.lowest)
    return Sentence("positive" if kept else None, mean, lowest)


def agreed(first: Sequence[Role | None], second: Sequence[Role | None]) -> list[Role | None]:
    """The roles on which two scorers agree; None where they do not."""
    return [first_role if first_role == other else None for first_role, other in zip(first, second, strict=True)]


class _Stored(BaseModel):
    """What a file of thresholds holds, beside what says how they came about."""

    positive: float
    negative: float
    sentence: float
    lowest: float | None = None
    unit: Unit


def read_thresholds(path: Path) -> Thresholds:
    """Thresholds as `write_thresholds` writes them.

    Raises:
        InputError: the file cannot be read, or a threshold is missing or no number.
    """
    return Thresholds(**read_typed(path, _Stored, strict=True).model_dump())


def write_thresholds(path: Path, thresholds: Thresholds, **how: Any) -> None:
    """Write thresholds, with whatever says how they came about."""
    write_json(path, {**asdict(thresholds), **how})
