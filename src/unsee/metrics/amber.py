"""AMBER: hallucinated objects in descriptions, and yes/no questions about them (Wang et al. 2023, arXiv 2311.07397).

For a response R that names the objects R', of a picture that shows A and in which H are tempting to hallucinate:

    CHAIR = 1 - |R' ∩ A| / |R'|      Cover = |R' ∩ A| / |A|      Hal = 1 if CHAIR > 0      Cog = |R' ∩ H| / |R'|

What the paper leaves open, and how it is done here:

- *Many responses*: counts are added up over all of them before dividing, as AMBER's script does, so that a long
  response weighs more than a short one. R' is counted by mention, A and H by distinct object.
- *Silence*: a response without objects adds nothing to CHAIR and Cog, is not hallucinated, and covers nothing.
- *Cog*: the script divides by |H| instead, and so do tables made with it: that is `cog_repo` here.
- *Safe words* are never hallucinated, yet count as mentions. In the script they cover nothing either, not even the
  object of that name; here they do.
- *Which object a word stands for*: the one of that name, else the first one that lists it as associated, else the
  first one that `similar` accepts; annotated objects come before tempting ones. A word stands for one object only.
- *Near-synonyms*: the script accepts word vectors (spaCy's en_core_web_lg) with a cosine above 0.8. Nothing of that
  kind comes along: pass `similar` for it. Without it fewer words are forgiven, so CHAIR and Hal come out higher.
- *Which words are objects*: the script takes the listed words that NLTK tags as nouns, lemmatised, upper case left as
  it is. `Vocabulary.words` knows no tags and reads as CHAIR does; any other list of words may be passed instead.

In yes/no questions "no" is the positive class: a model is to deny what is not there.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from unsee.metrics.amber_words import Similar, Vocabulary
from unsee.metrics.pope import Pope, YesNo, pope

Dimension = Literal["existence", "attribute", "relation"]
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
_EXCHANGED: dict[YesNo, YesNo] = {"yes": "no", "no": "yes"}


@dataclass(frozen=True, slots=True)
class Amber:
    """Counts over responses, and the rates that follow from them, each in [0, 1]."""

    responses: int
    hallucinated_responses: int
    mentions: int
    hallucinated_mentions: int
    target_mentions: int  # of the hallucinated ones, those that stand for a tempting object
    objects: int  # distinct annotated objects, over all pictures
    named_objects: int
    targets: int  # distinct tempting objects, over all pictures
    named_targets: int

    @property
    def chair(self) -> float:
        """Share of mentions that are of nothing in the picture; 0 if nothing is mentioned: see `cover`."""
        return self.hallucinated_mentions / max(1, self.mentions)

    @property
    def cover(self) -> float:
        """Share of the annotated objects that are mentioned; NaN if none are annotated."""
        return _rate(self.named_objects, self.objects)

    @property
    def hal(self) -> float:
        """Share of responses that hallucinate at least one object; NaN without responses."""
        return _rate(self.hallucinated_responses, self.responses)

    @property
    def cog(self) -> float:
        """Share of mentions that are of a tempting object, which is not there; 0 if nothing is mentioned."""
        return self.target_mentions / max(1, self.mentions)

    @property
    def cog_repo(self) -> float:
        """Share of the tempting objects that are mentioned: what AMBER's script calls Cog; NaN if there are none."""
        return _rate(self.named_targets, self.targets)


def amber(
    words: Sequence[Sequence[str]],
    truth: Sequence[Collection[str]],
    targets: Sequence[Collection[str]],
    vocabulary: Vocabulary,
    safe: Collection[str] = (),
    similar: Similar | None = None,
) -> Amber:
    """AMBER's generative scores.

    Args:
        words: the object words of each response, repeated ones included; see `Vocabulary.words`.
        truth: the annotated objects of each response's picture.
        targets: the objects that each picture tempts to hallucinate.
        vocabulary: which words may stand for which object.
        safe: words that are never counted as hallucinated.
        similar: accepts a word for an object or for one of its associated words.

    Raises:
        ValueError: lengths differ.
        KeyError: an object that the vocabulary does not list.
    """
    if not len(words) == len(truth) == len(targets):
        raise ValueError(f"{len(words)} responses but objects of {len(truth)} and targets of {len(targets)} pictures")
    rows = []
    for row, shown, tempting in zip(words, truth, targets, strict=True):
        # without repetition but in order, on which it depends which object an associated word stands for
        distinct = dict.fromkeys(shown), dict.fromkeys(tempting)
        rows.append(_count(row, *distinct, vocabulary, frozenset(safe), similar))
    totals = [sum(column) for column in zip(*rows, strict=True)] or [0] * 8
    return Amber(len(words), *totals)


def _count(
    words: Sequence[str],
    shown: Collection[str],
    tempting: Collection[str],
    vocabulary: Vocabulary,
    safe: frozenset[str],
    similar: Similar | None,
) -> tuple[int, ...]:
    """The fields of `Amber` after the first, for one response."""
    stands_for = {word: vocabulary.object_of(word, shown, similar) for word in words}
    hallucinated = [word for word in words if stands_for[word] is None and word not in safe]
    lured = [name for word in hallucinated if (name := vocabulary.object_of(word, tempting, similar))]
    return (
        int(bool(hallucinated)),
        len(words),
        len(hallucinated),
        len(lured),
        len(shown),
        len({name for name in stands_for.values() if name}),
        len(tempting),
        len(set(lured)),
    )


def discriminative(answers: Sequence[YesNo | None], labels: Sequence[YesNo]) -> Pope:
    """AMBER's scores of yes/no questions: those of POPE with yes and no exchanged.

    Args:
        answers: of the model, parsed; None where it decided nothing.
        labels: the right answers, the same length.

    Raises:
        ValueError: lengths differ.
    """
    return pope([_EXCHANGED[answer] if answer else None for answer in answers], [_EXCHANGED[label] for label in labels])


def dimension(kind: str) -> Dimension | None:
    """What a question of this annotated type asks about; None for a type that is no question."""
    if kind == "discriminative-hallucination":
        return "existence"
    if kind.startswith("discriminative-attribute"):
        return "attribute"
    return "relation" if kind in ("discriminative-relation", "relation") else None


def amber_score(chair: float, f1: float) -> float:
    """Both tasks in one number, in [0, 1]: the mean of 1 - CHAIR and F1; NaN if either is."""
    return (1 - chair + f1) / 2


def _rate(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
