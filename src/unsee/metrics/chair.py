"""CHAIR: which objects of a caption are not in the picture (Rohrbach et al. 2018, arXiv 1809.02156).

CHAIR_S is the share of captions with at least one hallucinated object, CHAIR_I the share of object mentions that are
hallucinated. Both fall by themselves when captions get shorter, so they stand beside recall and caption length, and
`match_lengths` cuts the captions of several models to the same length before they are compared.

A caption is read as in the standard metric: lower case, plural to singular, two-word names before single words, and a
few words that mean something else together. What an object may be called comes from a synonyms file. The singular of a
word is a word of that file where there is one, so that "bus" stays "bus"; the published script strips it to "bu" and
loses it, which is up to 0.25 points of CHAIR_S on the captions at hand: see `unsee.metrics.official_words`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import regex

from unsee.errors import InputError
from unsee.metrics.words import ALONE, count_words, runs

# Words; punctuation stays, so that names do not reach across it. Where words are written together, characters.
_TOKEN = rf"{ALONE}|(?:(?!{ALONE})[^\W_]\p{{M}}*)+(?:-(?:(?!{ALONE})[^\W_]\p{{M}}*)+)*|[^\w\s]"

# Pairs that name no object although a part of them does, and pairs in which the second word is the object.
_NO_OBJECT = ("train track", "home plate")
_ANIMALS = ("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "animal", "cub")
_SECOND_WORD = {
    **{f"{age} {animal}": animal for age in ("baby", "adult") for animal in _ANIMALS},
    "passenger train": "train",
    "passenger jet": "jet",
    "bow tie": "tie",
}
_FIRST_WORD = {"toilet seat": "toilet"}

_IRREGULAR = {"people": "person", "children": "child", "mice": "mouse", "geese": "goose", "oxen": "ox", "feet": "foot"}
_PLURALS = (  # ending of the plural, ending of the singular; the first that gives a known word is taken
    (r"men$", "man"),
    (r"ies$", "y"),
    (r"ves$", "f"),
    (r"ves$", "fe"),
    (r"(?<=[sxzo])es$|(?<=[cs]h)es$", ""),
    (r"(?<=[^s])s$", ""),
)


@dataclass(frozen=True, slots=True)
class Mention:
    """An object named in a caption."""

    category: str
    word: str  # the name that was used, lower case and singular
    start: int  # [start, end): the characters of the caption
    end: int


@dataclass(frozen=True)
class Lexicon:
    """Names of objects and the category that each belongs to.

    Attributes:
        category_of: by name of one or two words, lower case.
        singular: of a word in lower case, where it is not ours: see `unsee.metrics.official_words`.
    """

    category_of: Mapping[str, str]
    singular: Callable[[str], str] | None = None
    _vocabulary: frozenset[str] = field(init=False, repr=False, compare=False)
    _singular: dict[str, str] = field(init=False, repr=False, compare=False, default_factory=dict)
    _token: regex.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = [*self.category_of, *_NO_OBJECT, *_SECOND_WORD, *_FIRST_WORD]
        object.__setattr__(self, "_vocabulary", frozenset(word for name in names for word in name.split()))
        # Names that are written together with what stands round them come first, the longest of them before others.
        together = sorted((name for name in names if regex.match(ALONE, name)), key=len, reverse=True)
        pattern = "|".join([*map(regex.escape, together), _TOKEN])
        object.__setattr__(self, "_token", regex.compile(pattern, regex.IGNORECASE))

    def mentions(self, caption: str) -> list[Mention]:
        """Every mention of an object, in order, with its place in the caption.

        A seat is no chair in a caption that also names a toilet.
        """
        matches = list(self._named(caption))
        if any(mention.word == "toilet" for mention in matches):
            matches = [mention for mention in matches if mention.word != "seat"]
        return matches

    def categories(self, names: Iterable[str]) -> frozenset[str]:
        """The categories of known names.

        Raises:
            KeyError: a name that the lexicon does not know.
        """
        return frozenset(self.category_of[name.strip().lower()] for name in names)

    def _named(self, caption: str) -> Iterator[Mention]:
        tokens = [(self._to_singular(match[0].lower()), *match.span()) for match in self._token.finditer(caption)]
        at = 0
        while at < len(tokens):
            word, start, end = tokens[at]
            at += 1
            if at < len(tokens) and (pair := self._pair(word, tokens[at][0])):
                word, end = pair, tokens[at][2]
                at += 1
            if category := self.category_of.get(word):
                yield Mention(category, word, start, end)

    def _pair(self, first: str, second: str) -> str | None:
        """What two neighbouring words name together, if they belong together."""
        pair = f"{first} {second}"
        if pair in _NO_OBJECT:
            return pair
        meant = _SECOND_WORD.get(pair) or _FIRST_WORD.get(pair)
        return meant or (pair if pair in self.category_of else None)

    def _to_singular(self, word: str) -> str:
        """The known word of which this is the plural, else the word itself."""
        if word not in self._singular:
            known = (form for form in _singulars(word) if form in self._vocabulary)
            self._singular[word] = self.singular(word) if self.singular else next(known, word)
        return self._singular[word]


def _singulars(word: str) -> Iterator[str]:
    """What the word may be the plural of, then the word: "people" is "person" even where a file lists both."""
    if word in _IRREGULAR:
        yield _IRREGULAR[word]
    for plural, singular in _PLURALS:
        if re.search(plural, word):
            yield re.sub(plural, singular, word)
    yield word


def parse_synonyms(text: str, where: str = "synonyms") -> Lexicon:
    """The lexicon of a synonyms file: one category a line, its name first, further names after commas.

    A name that is given for two categories belongs to the later one, except that a category's own name is its own.

    Args:
        text: of the file. White space around names and empty lines do not matter.
        where: the file's name, for messages.

    Raises:
        InputError: no line holds a name, or a line starts with a comma.
    """
    category_of: dict[str, str] = {}
    categories = []
    for number, line in enumerate(text.split("\n"), start=1):
        names = [" ".join(name.lower().split()) for name in line.split(",")]
        if not any(names):
            continue
        if not names[0]:
            raise InputError(f"{where}: line {number} starts with a comma; the first name is the category")
        categories.append(names[0])
        category_of.update({name: names[0] for name in names if name})
    if not categories:
        raise InputError(f"{where}: holds no names; each line is a category and its synonyms: person, man, woman")
    category_of.update({category: category for category in categories})
    return Lexicon(category_of)


@dataclass(frozen=True, slots=True)
class Chair:
    """CHAIR of a set of captions: counts, and the rates that follow from them, each in [0, 1]."""

    captions: int
    hallucinated_captions: int
    mentions: int
    hallucinated_mentions: int
    unique_words: int  # each name counted once per caption; "man" and "woman" are two
    hallucinated_unique_words: int
    objects: int  # categories in the pictures
    named_objects: int  # of these, named in their caption
    words: int

    @property
    def chair_s(self) -> float:
        """Share of captions that name at least one object that is not there; NaN without captions."""
        return _rate(self.hallucinated_captions, self.captions)

    @property
    def chair_i(self) -> float:
        """Share of mentions that are of objects that are not there; 0 if nothing is mentioned: see `recall`."""
        return self.hallucinated_mentions / max(1, self.mentions)

    @property
    def chair_i_unique(self) -> float:
        """CHAIR_I over unique words of each caption, as EFUF counts (Xing et al. 2024, arXiv 2402.09801)."""
        return self.hallucinated_unique_words / max(1, self.unique_words)

    @property
    def recall(self) -> float:
        """Share of the objects in all pictures that their captions name; NaN without objects."""
        return _rate(self.named_objects, self.objects)

    @property
    def mean_words(self) -> float:
        """Mean caption length in words, as `unsee.metrics.words.runs` counts; NaN without captions."""
        return _rate(self.words, self.captions)


def chair(captions: Sequence[str], gold: Sequence[Collection[str]], lexicon: Lexicon) -> Chair:
    """CHAIR of captions.

    Args:
        captions: one text per picture.
        gold: the categories that each picture shows, the same length.
        lexicon: what objects may be called.

    Raises:
        ValueError: lengths differ.
    """
    if len(captions) != len(gold):
        raise ValueError(f"{len(captions)} captions but gold objects of {len(gold)} pictures")
    rows = [_count(caption, frozenset(shown), lexicon) for caption, shown in zip(captions, gold, strict=True)]
    totals = [sum(column) for column in zip(*rows, strict=True)] or [0] * 8
    return Chair(len(captions), *totals)


def _count(caption: str, shown: frozenset[str], lexicon: Lexicon) -> tuple[int, ...]:
    """The fields of `Chair` after the first, for one caption."""
    mentions = lexicon.mentions(caption)
    hallucinated = [mention for mention in mentions if mention.category not in shown]
    return (
        int(bool(hallucinated)),
        len(mentions),
        len(hallucinated),
        len({mention.word for mention in mentions}),
        len({mention.word for mention in hallucinated}),
        len(shown),
        len(shown & {mention.category for mention in mentions}),
        count_words(caption),
    )


def cut_words(caption: str, words: int) -> str:
    """The first words of a caption, its spacing kept."""
    ends = [end for _, end in runs(caption)]
    if words >= len(ends):
        return caption
    return caption[: ends[words - 1]] if words > 0 else ""


def match_lengths(*models: Sequence[str]) -> list[list[str]]:
    """The captions of several models, each cut to the shortest one of its picture: no model gains by brevity.

    Args:
        models: captions of each model for the same pictures in the same order.

    Returns:
        The captions of each model; at each position all have the same number of words.

    Raises:
        ValueError: the models describe different numbers of pictures.
    """
    if len({len(captions) for captions in models}) > 1:
        raise ValueError(
            f"the models have {', '.join(str(len(captions)) for captions in models)} captions; match equals"
        )
    lengths = [min(map(count_words, row)) for row in zip(*models, strict=True)]
    return [[cut_words(text, words) for text, words in zip(captions, lengths, strict=True)] for captions in models]


def _rate(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
